import { describeCombinationKernels } from "./combination-kernels.suite.ts";
import { describeKernels } from "./kernels.suite.ts";
import { describeWeightedSums } from "./weighted-sums.suite.ts";
import { describeWireKernels } from "./wire-kernels.suite.ts";

for (const backend of ["ts", "wasm"] as const) {
  describeKernels(backend);
  describeCombinationKernels(backend);
  describeWireKernels(backend);
  describeWeightedSums(backend);
}
