import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { load, type ModelSource } from "../../src/builder/index.ts";
import { readFile as fetchFile } from "../../src/builder/load/fetch-file.ts";
import { architectureFixture } from "../helpers/architectures.ts";
import { fixture } from "./torch/fixtures.ts";

const PATH = "models/linear/linear.legacy.pt";
const url = new URL(`../fixtures/${PATH}`, import.meta.url);
const bytes = fixture(PATH);
let server: Server;
let address: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url === "/model") response.end(bytes);
    else if (request.url === "/endless") {
      const send = (): void => {
        while (!response.destroyed && response.write(new Uint8Array(2 ** 16)));
      };
      response.on("drain", send);
      send();
    } else response.writeHead(404).end("nothing here");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** What a promise is rejected with; the reader of paths is that of the build, whose errors are of another class. */
async function failure(promise: Promise<unknown>): Promise<{ code?: string; message: string; name: string }> {
  return promise.then(
    () => expect.unreachable("it was accepted"),
    (error) => error,
  );
}

describe("load", () => {
  test.each<[string, () => ModelSource]>([
    ["a path", () => fileURLToPath(url)],
    ["a file URL", () => url],
    ["a file URL as text", () => url.href],
    ["an address", () => `${address}/model`],
    ["an address as URL", () => new URL(`${address}/model`)],
    ["a Uint8Array", () => bytes],
    ["a part of a buffer", () => new Uint8Array([1, 2, ...bytes, 3]).subarray(2, -1)],
    ["an ArrayBuffer", () => bytes.slice().buffer],
    ["a Blob", () => new Blob([bytes.slice()])],
  ])("takes %s", async (_, source) => {
    const { layers } = await load(source());
    expect(layers.map(({ layer }) => layer.kind)).toEqual(["Flatten", "Linear"]);
  });

  test("the content decides, not the name", async () => {
    const folder = mkdtempSync(join(tmpdir(), "crcnn-load-"));
    try {
      const architecture = architectureFixture("lenet1-square");
      for (const form of ["lenet1-square.safetensors", "lenet1-square.pth", "lenet1-square.legacy.pth"]) {
        copyFileSync(new URL(`../fixtures/models/lenet1-square/${form}`, import.meta.url), join(folder, "model.png"));
        expect((await load(join(folder, "model.png"), { architecture })).layers).toHaveLength(8);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("messages name the source, or what they are told to", async () => {
    const broken = bytes.slice(0, 100);
    expect((await failure(load(broken))).message).toMatch(/^model: /);
    expect((await failure(load(broken, { name: "upload 3" }))).message).toMatch(/^upload 3: /);
    expect((await failure(load(new File([broken], "mine.pt")))).message).toMatch(/^mine\.pt: /);
    const page = fileURLToPath(new URL("../fixtures/evil/foreign/page.pt", import.meta.url));
    expect((await failure(load(page))).message).toBe(
      `${page}: it is a web page or XML text, not the file itself: download the file itself`,
    );
  });

  test("files that are not there", async () => {
    expect(await failure(load("no such file.pt"))).toMatchObject({ code: "ENOENT", path: "no such file.pt" });
    expect(await failure(load(import.meta.dirname))).toMatchObject({ code: "EISDIR", path: import.meta.dirname });
    expect(await failure(load(pathToFileURL("/no such file.pt")))).toMatchObject({ code: "ENOENT" });
  });

  test.each([[3], [null], [undefined], [{}], [[1, 2]]])("%j is no source", async (source) => {
    expect((await failure(load(source as unknown as ModelSource))).message).toMatch(/^source must be a path, a URL/);
  });
});

describe("fetched files", () => {
  test("of an address without one", async () => {
    const error = await failure(fetchFile(`${address}/other`, 100));
    expect(error.code).toBe("SERVER_REFUSED");
    expect(error.message).toBe(`${address}/other: the server answered with status 404, not with a file`);
  });

  test("without a server", async () => {
    const error = await failure(fetchFile("http://127.0.0.1:1/model.pt", 100));
    expect(error.code).toBe("SERVER_UNREACHABLE");
    expect(error.message).toMatch(/^http:\/\/127\.0\.0\.1:1\/model\.pt: it cannot be fetched/);
  });

  test("that have no end are given up at the limit", async () => {
    const error = await failure(fetchFile(`${address}/endless`, 2 ** 20));
    expect(error.code).toBe("LIMIT_EXCEEDED");
    expect(error.message).toContain("more than the 1048576 bytes");
    expect(await fetchFile(`${address}/model`, bytes.length)).toEqual(bytes);
    expect((await failure(fetchFile(`${address}/model`, bytes.length - 1))).code).toBe("LIMIT_EXCEEDED");
  });
});
