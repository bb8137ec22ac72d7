import { createTypescriptKernels } from "../../src/math/index.ts";
import { describeKernels } from "./kernels.suite.ts";

describeKernels("TypeScript", createTypescriptKernels);
