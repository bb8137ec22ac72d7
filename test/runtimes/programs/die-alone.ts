import { die } from "./die.ts";

console.log(await die());
