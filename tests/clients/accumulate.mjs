// accumulate.mjs - what the official SDK makes of recorded streams, beside what somebody else
// made of them. Run where the SDK is installed; on stdin the JSON list
//   [{ "name": NAME, "stream": FILE, "message": JSON text or null }]
// and on stdout a line for each: { name, plain, beta }, the words of the SDK's two accumulators
// (messages and beta.messages): "same", "different: WHERE", or "refused: WHY".
import assert from 'node:assert';
import fs from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(`${process.cwd()}/`);
const { default: Anthropic } = require('@anthropic-ai/sdk');

function bodyOf(bytes, step) {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(new Uint8Array(bytes.subarray(at, at + step)));
      at += step;
    },
  });
}

async function accumulate(kind, bytes, step) {
  const client = new Anthropic({
    apiKey: 'none', maxRetries: 0, logLevel: 'off',
    fetch: async () => new Response(bodyOf(bytes, step), { headers: { 'content-type': 'text/event-stream' } }),
  });
  const messages = kind === 'beta' ? client.beta.messages : client.messages;
  const message = await messages.stream({ model: 'm', max_tokens: 1, messages: [] }).finalMessage();
  // What would be written: members that are undefined are not there. parsed_output is the SDK's own.
  return JSON.parse(JSON.stringify(message, (key, value) => (key === 'parsed_output' ? undefined : value)));
}

const order = (value) =>
  Array.isArray(value) ? value.map(order)
  : value && typeof value === 'object' ? Object.fromEntries(Object.keys(value).sort().map((k) => [k, order(value[k])]))
  : value;

async function judge(kind, bytes, ours) {
  let theirs;
  try {
    theirs = await accumulate(kind, bytes, bytes.length);
    for (const step of [1, 3, 64]) {
      assert.deepStrictEqual(await accumulate(kind, bytes, step), theirs, `the SDK itself, in steps of ${step}`);
    }
  } catch (error) {
    return `refused: ${String(error.message).split('\n')[0]}`;
  }
  if (ours === null) return 'different: there is no message to compare';
  try {
    // As JavaScript sees it: numbers are doubles, the order of members is nothing.
    assert.deepStrictEqual(JSON.parse(JSON.stringify(JSON.parse(ours))), theirs);
    return 'same';
  } catch {
    return `different: theirs ${JSON.stringify(order(theirs))}\nours ${JSON.stringify(order(JSON.parse(ours)))}`;
  }
}

for (const { name, stream, message } of JSON.parse(fs.readFileSync(0, 'utf8'))) {
  const bytes = fs.readFileSync(stream);
  const plain = await judge('plain', bytes, message);
  const beta = await judge('beta', bytes, message);
  console.log(JSON.stringify({ name, plain, beta }));
}
