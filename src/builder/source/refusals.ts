/** What to do about layers that do not run encrypted, by PyTorch's class name. */

const OTHER = "train with ReLU, SiLU or GELU, or with a square (a class Square with forward x * x)";
const FOLD = "fold it into the convolution or linear layer before it (torch.nn.utils.fusion) and save again";
const CLIENT = "it belongs after decryption: remove it and apply it to the decrypted output";
const POOL = "use AvgPool2d, a mean instead of a maximum";

const ADVICE: ReadonlyMap<string, string> = new Map([
  ...["CELU", "SELU", "PReLU", "Hardsigmoid", "Hardtanh", "Softsign", "LogSigmoid"].map(
    (name) => [name, OTHER] as const,
  ),
  ...["BatchNorm3d", "SyncBatchNorm"].map((name) => [name, FOLD] as const),
  ...["Softmax", "LogSoftmax", "Softmin", "Softmax2d"].map((name) => [name, CLIENT] as const),
  ...["MaxPool1d", "MaxPool3d", "AdaptiveMaxPool2d"].map((name) => [name, POOL] as const),
  ["LayerNorm", "it divides by a statistic of the data: train with BatchNorm2d"],
  ["GroupNorm", "it divides by a statistic of the data: train with BatchNorm2d"],
  ["InstanceNorm", "it divides by a statistic of the data: train with BatchNorm2d"],
  ["ModuleList", "it does not say in which order its layers run: use torch.nn.Sequential"],
  ["ModuleDict", "it does not say in which order its layers run: use torch.nn.Sequential"],
  ["DataParallel", "save the network inside it: torch.save(model.module, path)"],
  ["DistributedDataParallel", "save the network inside it: torch.save(model.module, path)"],
]);

const SUPPORTED =
  "Conv1d, Conv2d, ConvTranspose2d, Linear, AvgPool1d, AvgPool2d, AdaptiveAvgPool2d, BatchNorm1d, BatchNorm2d, ZeroPad2d, Flatten, " +
  "Unflatten, Dropout, Identity and a class Square; with --activations also ReLU, SiLU and others, and MaxPool2d";

/** True for a kind of layer that is known not to run encrypted. */
export function hasAdvice(name: string): boolean {
  return ADVICE.has(name);
}

/** What would be right instead of a layer of this class of torch.nn. */
export function adviceFor(name: string): string {
  return ADVICE.get(name) ?? `the layers that run encrypted are ${SUPPORTED}, in a torch.nn.Sequential`;
}
