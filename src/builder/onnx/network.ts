/** From the graph of a file to the layers of a model: its nodes in order, with what each value stands for. */

import { CrcnnError } from "../../errors/index.ts";
import { identityLayer } from "../../layers/index.ts";
import { sizeOf } from "../../plan/index.ts";
import { adviceFor } from "../source/refusals.ts";
import { MODEL_INPUT, type SourceModel } from "../source/source-model.ts";
import { printable } from "../source/text.ts";
import { FOLDS } from "./fold.ts";
import { createLayerList } from "./layer-list.ts";
import { MAX_ACTIVATION, NEWEST_OPSET, OLDEST_OPSET } from "./limits.ts";
import type { OnnxGraph, OnnxModel, OnnxNode, OnnxTensor, OnnxValue } from "./messages.ts";
import { createOperation, nodeLabel, type Operation } from "./operation.ts";
import { readPattern } from "./operators/activations.ts";
import { OPERATORS } from "./operators/index.ts";
import { type GraphView, type Pattern, patternAt } from "./patterns.ts";
import { readTensorData } from "./tensors.ts";
import type { Activation, Value } from "./values.ts";

/** A node that the output depends on, or several that are one layer together. */
interface Task {
  readonly index: number;
  readonly node: OnnxNode;
  readonly pattern: Pattern | undefined;
  /** Names of the values that it takes. */
  readonly inputs: readonly string[];
}

/**
 * @param explain puts the file's name before a refusal.
 * @throws CrcnnError INVALID_FILE, UNSUPPORTED_FILE, UNSUPPORTED_MODEL, UNSUPPORTED_LAYER, LIMIT_EXCEEDED.
 */
export function readNetwork(model: OnnxModel, explain: (error: CrcnnError) => CrcnnError): SourceModel {
  const { graph, opset, functions } = model;
  if (!(opset >= OLDEST_OPSET && opset <= NEWEST_OPSET)) {
    throw new CrcnnError(
      "UNSUPPORTED_FILE",
      `it uses version ${opset} of ONNX's operators: ${OLDEST_OPSET} to ${NEWEST_OPSET} are read; export it with opset_version=17`,
    );
  }
  const [input, output] = endsOf(graph);
  checkNames(graph, input);
  const budget = { spent: 0 };
  const made = { spent: 0 };
  const layers = createLayerList();
  const values = new Map<string, Value>([[input.name, imageOf(input)]]);

  function lookUp(name: string): Value | undefined {
    const known = values.get(name);
    if (known || name === "") return known;
    const tensor = graph.initializers.get(name);
    if (tensor === undefined) return undefined;
    const value = readTensorData(tensor, `the tensor "${printable(name)}"`, budget);
    values.set(name, value);
    return value;
  }

  const tasks = neededTasks(graph, output.name);
  const readers = countReaders(tasks, output.name);
  for (const task of tasks) {
    const { index, node, pattern, inputs } = task;
    const label = nodeLabel(node, index);
    requireStandard(node, label, functions);
    const operation = inContext(label, () => {
      const taken = inputs.map((name) => {
        const value = lookUp(name);
        if (value !== undefined || name === "") return value;
        throw new CrcnnError(
          "UNSUPPORTED_LAYER",
          `${label} takes "${printable(name)}", a further output that is not computed here`,
        );
      });
      return createOperation(node, taken, {
        index,
        opset,
        batch: input.dims?.[0],
        layers,
        budget,
        made,
        readsAlone: (at) => readers.get(inputs[at] ?? "") === 1,
      });
    });
    const results = inContext(label, () => (pattern ? readPattern(operation, pattern) : readNode(operation)));
    const outputs = Array.isArray(results) ? results : [results];
    for (const [at, value] of outputs.entries()) {
      const name = node.outputs[at];
      if (name) values.set(name, value);
    }
  }
  const result = lookUp(output.name);
  if (result?.kind !== "activation") {
    throw new CrcnnError("UNSUPPORTED_MODEL", "its output does not depend on its input: there is nothing to run");
  }
  return layers.toModel(result.source === MODEL_INPUT ? identity(result) : result, explain);

  /** A network that gives back its input still has a layer. */
  function identity(image: Activation): Activation {
    return layers.add({ position: "0", label: "the graph", make: () => identityLayer(), reads: [image] });
  }
}

function readNode(operation: Operation): Value | readonly Value[] {
  const { operator } = operation.node;
  const constant = operator !== "Shape" && operation.inputs.every((value) => value?.kind !== "activation");
  const read = constant ? FOLDS.get(operator) : OPERATORS.get(operator);
  if (read === undefined) {
    throw new CrcnnError(
      "UNSUPPORTED_LAYER",
      constant
        ? `${operation.label} works on constants alone, and is not computed here: export the network with constant folding`
        : `${operation.label} does not run encrypted: ${adviceFor(printable(operator))}`,
    );
  }
  const result = read(operation);
  operation.attributes.requireAllRead();
  return result;
}

/** No function of the file and no operator of another domain is run. */
function requireStandard({ domain, operator }: OnnxNode, label: string, functions: ReadonlySet<string>): void {
  if (domain === "" && !functions.has(`::${operator}`)) return;
  const what = functions.has(`${domain}::${operator}`)
    ? "is a function of the file's own, which is not run"
    : `is of the domain "${printable(domain)}"`;
  throw new CrcnnError(
    "UNSUPPORTED_LAYER",
    `${label} ${what}: only ONNX's own operators are read; export the network without custom operators and functions`,
  );
}

/** Errors of a node say which it is. */
function inContext<T>(label: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof CrcnnError) || error.message.startsWith(label)) throw error;
    throw new CrcnnError(error.code, `${label}: ${error.message}`, { cause: error });
  }
}

/** The one input that is no constant, and the one output. */
function endsOf({ inputs, outputs, initializers }: OnnxGraph): readonly [input: OnnxValue, output: OnnxValue] {
  // Until version 4 of the format, constants are listed among the inputs.
  const [input, ...more] = inputs.filter(({ name }) => !initializers.has(name));
  const [output, ...others] = outputs;
  if (input === undefined || output === undefined) {
    throw new CrcnnError("INVALID_FILE", `the graph has no ${input === undefined ? "input" : "output"}`);
  }
  if (more.length + others.length > 0) {
    throw new CrcnnError(
      "UNSUPPORTED_MODEL",
      `its graph has ${more.length + 1} inputs and ${others.length + 1} outputs: networks of one image and one result run`,
    );
  }
  return [input, output];
}

/** Every value is made once, and before it is read: so no node waits for itself. */
function checkNames({ nodes, initializers }: OnnxGraph, input: OnnxValue): void {
  const made = new Set<string>([input.name, ...initializers.keys()]);
  for (const [index, node] of nodes.entries()) {
    const missing = node.inputs.find((name) => name !== "" && !made.has(name));
    const label = nodeLabel(node, index);
    if (missing !== undefined) {
      throw new CrcnnError("INVALID_FILE", `${label} takes "${printable(missing)}", which nothing before it makes`);
    }
    for (const name of node.outputs) {
      if (name === "") continue;
      if (made.has(name)) throw new CrcnnError("INVALID_FILE", `${label} makes "${printable(name)}" a second time`);
      made.add(name);
    }
  }
}

function imageOf({ name, dims }: OnnxValue): Activation {
  const label = `its input "${printable(name)}"`;
  const [, ...sizes] = dims ?? [];
  const text = (dims ?? []).map((size) => size ?? "?").join("x");
  if (sizes.length === 0 || !sizes.every((size) => size !== undefined && Number.isSafeInteger(size) && size > 0)) {
    throw new CrcnnError(
      "UNSUPPORTED_MODEL",
      `${label} has the shape ${text || "of no tensor"}: export it with a batch axis and fixed sizes after it, as Nx1x28x28`,
    );
  }
  const shape = sizes as number[];
  if (sizeOf(shape) > MAX_ACTIVATION) {
    throw new CrcnnError("LIMIT_EXCEEDED", `${label} of ${text} has more than ${MAX_ACTIVATION} elements an image`);
  }
  return { kind: "activation", source: MODEL_INPUT, shape };
}

/** What the output depends on, in the order of the file. */
function neededTasks(graph: OnnxGraph, output: string): Task[] {
  const view = viewOf(graph);
  const wanted = new Set([output]);
  const tasks: Task[] = [];
  for (let index = graph.nodes.length - 1; index >= 0; index--) {
    const node = graph.nodes[index];
    if (!node.outputs.some((name) => name !== "" && wanted.has(name))) continue;
    const pattern = node.domain === "" ? patternAt(node, view) : undefined;
    const inputs = pattern ? [pattern.input] : node.inputs;
    for (const name of inputs) wanted.add(name);
    tasks.push({ index, node, pattern, inputs });
  }
  return tasks.reverse();
}

function viewOf({ nodes, initializers }: OnnxGraph): GraphView {
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const tensorOf = (name: string): OnnxTensor | undefined => {
    const maker = makers.get(name);
    return maker?.operator === "Constant" ? maker.attributes.get("value")?.tensor : initializers.get(name);
  };
  return {
    maker: (name) => makers.get(name),
    scalar(name) {
      const tensor = tensorOf(name);
      // The shape is checked where the tensor is read.
      if (tensor === undefined || !tensor.dims.every((size) => size === 1)) return undefined;
      const [value] = readTensorData(tensor, `the tensor "${printable(name)}"`, { spent: 0 }).data;
      return value === "batch" ? undefined : value;
    },
  };
}

function countReaders(tasks: readonly Task[], output: string): Map<string, number> {
  const readers = new Map([[output, 1]]);
  for (const { inputs } of tasks) for (const name of inputs) readers.set(name, (readers.get(name) ?? 0) + 1);
  return readers;
}
