// Reads JSON lines {secret, headers, body} and answers each with true or false: is the message accepted? In order; ends with its input.
// Accepted by the reference package, or by the `verify(secret, headers, body)` of the module that the argument names.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

async function packaged() {
  const { Webhook } = await import("standardwebhooks");
  return (secret, headers, body) => new Webhook(secret).verify(body, headers);
}

const [, , given] = process.argv;
const verify = given ? (await import(pathToFileURL(given))).verify : await packaged();

function accepts({ secret, headers, body }) {
  try {
    verify(secret, headers, Buffer.from(body));
    return true;
  } catch {
    return false;
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${accepts(JSON.parse(line))}\n`);
}
