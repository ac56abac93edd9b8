/*
 * The unmodified whatsapp-web.js client on the stand-in's TLS port, driven by lines of JSON: events out, commands in.
 * Usage: node wwebjs_client.cjs TLS_PORT PROFILES BROWSER [--no-sandbox]
 */
'use strict';
const { createInterface } = require('node:readline');
const { Client, LocalAuth } = require('whatsapp-web.js');

const [tlsPort, profiles, browser, ...extra] = process.argv.slice(2);
const say = (event, data = {}) => process.stdout.write(JSON.stringify({ event, ...data }) + '\n');

const client = new Client({
  authStrategy: new LocalAuth({ dataPath: profiles }),
  webVersionCache: { type: 'none' },
  puppeteer: {
    executablePath: browser,
    headless: true,
    args: [
      `--host-resolver-rules=MAP web.whatsapp.com:443 127.0.0.1:${tlsPort}`,
      '--ignore-certificate-errors',
      ...extra,
    ],
  },
});

for (const event of ['qr', 'authenticated', 'auth_failure', 'ready', 'disconnected', 'change_state']) {
  client.on(event, (value) => say(event, { value: typeof value === 'object' ? undefined : value }));
}
client.on('message', (message) => say('message', { id: message.id._serialized, body: message.body, from: message.from }));
client.on('message_ack', (message, ack) => say('message_ack', { id: message.id._serialized, ack }));

const COMMANDS = {
  send: async ({ to, text }) => {
    const message = await client.sendMessage(to, text);
    return { id: message.id._serialized, body: message.body };
  },
  state: async () => ({ state: await client.getState(), me: client.info?.wid?._serialized }),
  stop: async () => {
    await client.destroy();
    setImmediate(() => process.exit(0));
    return {};
  },
};

createInterface({ input: process.stdin }).on('line', async (line) => {
  const { command, ...given } = JSON.parse(line);
  try {
    say('done', { command, ...(await COMMANDS[command](given)) });
  } catch (error) {
    say('failed', { command, reason: String(error) });
  }
});
process.on('unhandledRejection', (error) => say('rejection', { reason: String(error?.stack || error) }));
client.initialize().catch((error) => say('failed', { command: 'initialize', reason: String(error?.stack || error) }));
