#!/usr/bin/env node
// What the image starts: the program beside it, with what V8 compiled of that when the image was built.
import { join } from "node:path";
import { compilationOf, readCache } from "./compiled.ts";

const program = join(__dirname, "webhook-program.cjs");
compilationOf(program, readCache(program)).run();
