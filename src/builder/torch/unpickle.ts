/**
 * The pickle machine (Python's Lib/pickletools.py), for the opcodes of protocols 2 to 5 that torch.save writes. It has no way to
 * run code: names go through the allow-list of `globals.ts`, and objects are inert data. It keeps its own stack, so nothing that is
 * nested in a file recurses here.
 */

import { CrcnnError } from "../../errors/index.ts";
import { resolveGlobal, unsafe } from "./globals.ts";
import { MAX_PICKLE_STEPS } from "./limits.ts";
import { type PickleReader, readPickle } from "./pickle-reader.ts";
import {
  className,
  describe,
  type ModuleObject,
  ofKind,
  type PickleDict,
  type PickleKey,
  type PickleTuple,
  type PickleValue,
} from "./pickle-values.ts";

const HIGHEST_PROTOCOL = 5;
/** Opcodes that fetch a class or object in ways that torch.save never uses. */
const REFUSED: ReadonlyMap<number, string> = new Map([
  [0x50, "PERSID"],
  [0x6f, "OBJ"],
  [0x82, "EXT1"],
  [0x83, "EXT2"],
  [0x84, "EXT4"],
  [0x92, "NEWOBJ_EX"],
]);

/** Turns the value of a persistent id into what it stands for. */
export type LoadPersistent = (id: PickleValue) => PickleValue;

/**
 * Turns bytes that are one pickle into inert data.
 *
 * @throws as {@link unpickleNext}, INVALID_FILE also where something follows the pickle.
 */
export function unpickle(pickle: Uint8Array, loadPersistent: LoadPersistent): PickleValue {
  const reader = readPickle(pickle);
  const value = unpickleNext(reader, loadPersistent);
  if (reader.remaining > 0) throw invalid(`is followed by ${reader.remaining} bytes`);
  return value;
}

/**
 * Turns the pickle at a reader's position into inert data; the reader stands behind it then.
 *
 * @throws CrcnnError UNSAFE_FILE where the pickle wants code run, INVALID_FILE where it is malformed, UNSUPPORTED_FILE,
 * LIMIT_EXCEEDED after {@link MAX_PICKLE_STEPS} steps.
 */
export function unpickleNext(reader: PickleReader, loadPersistent: LoadPersistent): PickleValue {
  const stack: PickleValue[] = [];
  const marks: number[] = [];
  const memo = new Map<number, PickleValue>();
  const objects: ModuleObject[] = [];
  const classes = new Set<string>();
  let steps = 0;

  function spend(count: number): void {
    steps += count;
    if (steps > MAX_PICKLE_STEPS) {
      throw new CrcnnError("LIMIT_EXCEEDED", `its pickle takes more than ${MAX_PICKLE_STEPS} steps`);
    }
  }

  function pop(): PickleValue {
    if (stack.length <= (marks.at(-1) ?? 0)) throw invalid("takes a value that is not there");
    return stack.pop() as PickleValue;
  }

  function popToMark(): PickleValue[] {
    const mark = marks.pop();
    if (mark === undefined) throw invalid("ends a group that was not begun");
    const items = stack.splice(mark);
    spend(items.length);
    return items;
  }

  function top(): PickleValue {
    const value = pop();
    stack.push(value);
    return value;
  }

  function popTuple(count: number): PickleTuple {
    const items = Array.from({ length: count }, pop).reverse();
    return { kind: "tuple", items };
  }

  function get(index: number): PickleValue {
    const value = memo.get(index);
    if (value === undefined) throw invalid(`refers to memo entry ${index}, which was never put`);
    return value;
  }

  function append(items: readonly PickleValue[]): void {
    const list = top();
    if (!Array.isArray(list)) throw invalid(`appends to ${describe(list)}`);
    for (const item of items) list.push(item);
  }

  function lookUp(module: PickleValue, name: PickleValue): PickleValue {
    if (typeof module !== "string" || typeof name !== "string") throw invalid("looks up a name that is not text");
    const found = resolveGlobal(module, name);
    if (found.kind === "class") classes.add(className(found));
    return found;
  }

  function reduce(): PickleValue {
    const args = ofKind(pop(), "tuple");
    const callee = pop();
    const called = ofKind(callee, "function");
    if (args === undefined || called === undefined) {
      const type = ofKind(callee, "class");
      if (type) throw unsafe(`calls ${className(type)}`);
      throw invalid(`calls ${describe(callee)}`);
    }
    // The functions that copy an argument copy a text; it must not be copied over and over for free.
    spend(typeof args.items[0] === "string" ? args.items[0].length : 0);
    return called.apply(args.items);
  }

  function newObject(): ModuleObject {
    const args = ofKind(pop(), "tuple");
    const type = ofKind(pop(), "class");
    if (args === undefined || type === undefined) throw invalid("makes an object of something that is no class");
    if (args.items.length > 0) throw unsafe(`makes a ${className(type)} from arguments`);
    const object: ModuleObject = { kind: "module", type, state: undefined };
    objects.push(object);
    return object;
  }

  function build(): void {
    const state = pop();
    const target = top();
    if (!(state instanceof Map)) throw invalid(`fills ${describe(target)} with ${describe(state)}`);
    const object = ofKind(target, "module");
    if (object === undefined) {
      // The `_metadata` of a state_dict, which says nothing about values.
      if (target instanceof Map) return;
      throw invalid(`fills ${describe(target)} with attributes`);
    }
    if (object.state) throw invalid(`fills ${describe(target)} twice`);
    if (!(state.get("_parameters") instanceof Map && state.get("_modules") instanceof Map)) {
      throw unsafe(`makes ${describe(target)}, which is no layer`);
    }
    object.state = state;
  }

  /** Every class that was named must have become a layer, and every layer must have been filled. */
  function checkUse(): void {
    const used = new Set(objects.filter((object) => object.state).map((object) => className(object.type)));
    for (const name of classes) if (!used.has(name)) throw unsafe(`names ${name}, which is no layer`);
    const empty = objects.find((object) => object.state === undefined);
    if (empty) throw invalid(`leaves ${describe(empty)} without attributes`);
  }

  /** One opcode; true at the end of the pickle. */
  function step(opcode: number): boolean {
    switch (opcode) {
      case 0x80: // PROTO
        checkProtocol(reader);
        break;
      case 0x95: // FRAME
        if (reader.uint64() > reader.remaining) throw invalid("is cut off: a frame is longer than what is left");
        break;
      case 0x2e: // STOP
        return true;
      case 0x28: // MARK
        marks.push(stack.length);
        break;
      case 0x30: // POP
        if (marks.at(-1) === stack.length) marks.pop();
        else pop();
        break;
      case 0x31: // POP_MARK
        popToMark();
        break;
      case 0x32: // DUP
        stack.push(top());
        break;
      case 0x4e: // NONE
        stack.push(null);
        break;
      case 0x88: // NEWTRUE
        stack.push(true);
        break;
      case 0x89: // NEWFALSE
        stack.push(false);
        break;
      case 0x4a: // BININT
        stack.push(reader.int32());
        break;
      case 0x4b: // BININT1
        stack.push(reader.byte());
        break;
      case 0x4d: // BININT2
        stack.push(reader.uint16());
        break;
      case 0x8a: // LONG1
        stack.push(reader.integer(reader.byte()));
        break;
      case 0x8b: // LONG4
        stack.push(reader.integer(reader.uint32()));
        break;
      case 0x47: // BINFLOAT
        stack.push(reader.float64());
        break;
      case 0x58: // BINUNICODE
        stack.push(reader.text(reader.uint32()));
        break;
      case 0x8c: // SHORT_BINUNICODE
        stack.push(reader.text(reader.byte()));
        break;
      case 0x8d: // BINUNICODE8
        stack.push(reader.text(reader.uint64()));
        break;
      case 0x55: // SHORT_BINSTRING, a string of Python 2
        stack.push(reader.text(reader.byte()));
        break;
      case 0x54: // BINSTRING
        stack.push(reader.text(reader.uint32()));
        break;
      case 0x42: // BINBYTES
        stack.push(reader.bytes(reader.uint32()));
        break;
      case 0x43: // SHORT_BINBYTES
        stack.push(reader.bytes(reader.byte()));
        break;
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        stack.push(reader.bytes(reader.uint64()));
        break;
      case 0x29: // EMPTY_TUPLE
        stack.push({ kind: "tuple", items: [] });
        break;
      case 0x85: // TUPLE1
        stack.push(popTuple(1));
        break;
      case 0x86: // TUPLE2
        stack.push(popTuple(2));
        break;
      case 0x87: // TUPLE3
        stack.push(popTuple(3));
        break;
      case 0x74: // TUPLE
        stack.push({ kind: "tuple", items: popToMark() });
        break;
      case 0x5d: // EMPTY_LIST
        stack.push([]);
        break;
      case 0x61: // APPEND
        append([pop()]);
        break;
      case 0x65: // APPENDS
        append(popToMark());
        break;
      case 0x7d: // EMPTY_DICT
        stack.push(new Map());
        break;
      case 0x73: // SETITEM
        setItems(popTuple(2).items, top());
        break;
      case 0x75: // SETITEMS
        setItems(popToMark(), top());
        break;
      case 0x8f: // EMPTY_SET
        stack.push({ kind: "set", items: [] });
        break;
      case 0x90: // ADDITEMS
        addItems(popToMark(), top());
        break;
      case 0x63: // GLOBAL
        stack.push(lookUp(reader.line(), reader.line()));
        break;
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = popTuple(2).items;
        stack.push(lookUp(module, name));
        break;
      }
      case 0x69: // INST
        throw unsafe(`makes a ${reader.line()}.${reader.line()} by the opcode INST`);
      case 0x52: // REDUCE
        stack.push(reduce());
        break;
      case 0x81: // NEWOBJ
        stack.push(newObject());
        break;
      case 0x62: // BUILD
        build();
        break;
      case 0x51: // BINPERSID
        stack.push(loadPersistent(pop()));
        break;
      case 0x68: // BINGET
        stack.push(get(reader.byte()));
        break;
      case 0x6a: // LONG_BINGET
        stack.push(get(reader.uint32()));
        break;
      case 0x71: // BINPUT
        memo.set(reader.byte(), top());
        break;
      case 0x72: // LONG_BINPUT
        memo.set(reader.uint32(), top());
        break;
      case 0x94: // MEMOIZE
        memo.set(memo.size, top());
        break;
      default:
        throw unknownOpcode(opcode, reader.position - 1);
    }
    return false;
  }

  do spend(1);
  while (!step(reader.byte()));
  const result = pop();
  if (stack.length > 0 || marks.length > 0) throw invalid("ends with values left over");
  checkUse();
  return result;
}

function checkProtocol(reader: PickleReader): void {
  const protocol = reader.byte();
  if (protocol < 2 || protocol > HIGHEST_PROTOCOL) {
    throw new CrcnnError("UNSUPPORTED_FILE", `its pickle has protocol ${protocol}; 2 to ${HIGHEST_PROTOCOL} are read`);
  }
}

function setItems(items: readonly PickleValue[], target: PickleValue): void {
  if (!(target instanceof Map)) throw invalid(`sets items of ${describe(target)}`);
  if (items.length % 2 !== 0) throw invalid("sets a key without a value");
  for (let i = 0; i < items.length; i += 2) setItem(target, items[i], items[i + 1]);
}

function setItem(dict: PickleDict, key: PickleValue, value: PickleValue): void {
  if (!isKey(key)) throw invalid(`uses ${describe(key)} as a dictionary key`);
  dict.set(key, value);
}

function isKey(value: PickleValue): value is PickleKey {
  return ["string", "number", "bigint", "boolean"].includes(typeof value);
}

function addItems(items: readonly PickleValue[], target: PickleValue): void {
  const set = ofKind(target, "set");
  if (set === undefined) throw invalid(`adds items to ${describe(target)}`);
  for (const item of items) set.items.push(item);
}

function unknownOpcode(opcode: number, position: number): CrcnnError {
  const name = REFUSED.get(opcode);
  if (name) return unsafe(`fetches an object by the opcode ${name}`);
  return invalid(`holds the opcode 0x${opcode.toString(16)} at byte ${position}, which torch.save never writes`);
}

function invalid(message: string): CrcnnError {
  return new CrcnnError("INVALID_FILE", `its pickle ${message}`);
}
