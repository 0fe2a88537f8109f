// sdk.mjs - a program that knows nothing but the official SDK. Run where the SDK is installed. Each
// line of stdin is a JSON list of calls, which are made at once:
//   { name, method, params, headers,
//     way: { base, key, socket } }   where the API is; with a socket, requests go to that
// and each call, as it ends, is a line of stdout: { name, sent, retries, ms, value } or, instead of the
// value, { error }. sent: HTTP requests; retries: what they said in x-stainless-retry-count.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const require = createRequire(`${process.cwd()}/`);
const { default: Anthropic } = require('@anthropic-ai/sdk');
const { Agent } = require('undici');
const agents = new Map();

function agentOf(socketPath) {
  if (!agents.has(socketPath)) agents.set(socketPath, new Agent({ connect: { socketPath } }));
  return agents.get(socketPath);
}

// A client whose requests are counted. fetch is node's own, as it would be without this.
function clientFor({ base, key, socket }, count) {
  return new Anthropic({
    baseURL: base, apiKey: key, logLevel: 'off',
    fetchOptions: socket ? { dispatcher: agentOf(socket) } : undefined,
    fetch: (url, init) => {
      count.sent++;
      count.retries.push(Number(new Headers(init.headers).get('x-stainless-retry-count')));
      return fetch(url, init);
    },
  });
}

const textOf = (message) => message.content.map((block) => block.text ?? '').join('');
const summary = (message) => ({ ...message, text: textOf(message), request_id: message._request_id });

async function helper(stream) {
  const pieces = [];
  stream.on('text', (text) => pieces.push(text));
  const message = await stream.finalMessage();
  return { ...summary(message), pieces, request_id: stream.request_id };
}

const methods = {
  create: async (client, params, options) => summary(await client.messages.create(params, options)),
  beta: async (client, params, options) => summary(await client.beta.messages.create(params, options)),
  stream: (client, params, options) => helper(client.messages.stream(params, options)),
  betaStream: (client, params, options) => helper(client.beta.messages.stream(params, options)),
  events: async (client, params, options) => {
    const types = [];
    for await (const event of await client.messages.create({ ...params, stream: true }, options)) types.push(event.type);
    return types;
  },
  // The SDK's own loop: asks, runs the tool, tells the result, until there is an answer. 0.x sends
  // all that was said again, 1.x continues a thread that the API holds.
  tools: async (client, { result, ...params }, options) => {
    const calls = [];
    const tool = {
      type: 'custom', name: 'get_weather', description: 'The weather of a city',
      input_schema: { type: 'object', properties: { city: { type: 'string' }, days: { type: 'number' } } },
      parse: (value) => value,
      run: (value) => (calls.push(value), result),
    };
    return { ...summary(await client.beta.messages.toolRunner({ ...params, tools: [tool] }, options)), calls };
  },
  countTokens: (client, params, options) => client.messages.countTokens(params, options),
  models: async (client, params, options) => {
    const ids = [];
    for await (const model of client.models.list(params, options)) ids.push(model.id);
    return ids;
  },
  model: (client, params, options) => client.models.retrieve(params.id, undefined, options),
};

async function make({ name, method, params, headers, way }) {
  const count = { sent: 0, retries: [] };
  const start = Date.now();
  const line = {};
  try {
    line.value = await methods[method](clientFor(way, count), params, { headers });
  } catch (error) {
    line.error = {
      class: error.constructor.name, status: error.status ?? null, type: error.type ?? null,
      request_id: error.requestID ?? null, message: String(error.message),
    };
  }
  console.log(JSON.stringify({ name, ...count, ms: Date.now() - start, ...line }));
}

for await (const line of createInterface({ input: process.stdin })) JSON.parse(line).forEach(make);
