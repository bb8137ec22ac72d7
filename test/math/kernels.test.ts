import { describeKernels } from "./kernels.suite.ts";

describeKernels("ts");
describeKernels("wasm");
