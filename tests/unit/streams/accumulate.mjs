// accumulate.mjs - what the official SDK makes of each *.sse here, written to
// the *.json beside it. test_assembly.c compares; run this again after adding a
// stream, in a directory where @anthropic-ai/sdk is installed:
//   node accumulate.mjs /path/to/tests/unit/streams
import Anthropic from '@anthropic-ai/sdk';
import fs from 'node:fs';
import path from 'node:path';

const directory = process.argv[2];

for (const name of fs.readdirSync(directory).filter((n) => n.endsWith('.sse')).sort()) {
  const file = path.join(directory, name);
  const fetch = async () =>
    new Response(fs.readFileSync(file), { headers: { 'content-type': 'text/event-stream' } });
  const client = new Anthropic({ apiKey: 'none', fetch, maxRetries: 0 });
  const stream = client.messages.stream({ model: 'm', max_tokens: 1, messages: [] });
  const message = await stream.finalMessage();
  const json = JSON.stringify(message, (key, value) => (key === 'parsed_output' ? undefined : value), 1);
  fs.writeFileSync(file.replace(/\.sse$/, '.json'), json + '\n');
  console.log(name);
}
