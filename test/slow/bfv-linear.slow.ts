import { describeOperations } from "./bfv-cases.ts";

describeOperations(false);
