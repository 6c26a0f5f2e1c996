// Reads JSON lines, each a text, and answers each with [encoding, segments] as Twilio's calculator counts them. In order.
import { createInterface } from "node:readline";
import calculator from "sms-segments-calculator";

const { SegmentedMessage } = calculator;

for await (const line of createInterface({ input: process.stdin })) {
  const message = new SegmentedMessage(JSON.parse(line), "auto");
  process.stdout.write(`${JSON.stringify([message.encodingName, message.segmentsCount])}\n`);
}
