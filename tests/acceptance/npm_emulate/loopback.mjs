// emulate listens on every interface and has no option for another; here it only gets 127.0.0.1, on a free port that it says.
// When whoever started it is gone, however they went, so is it.
import net from "node:net";

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...given) {
  const ready = given.find((each) => typeof each === "function");
  this.once("listening", () => console.log(`listening on ${this.address().port}`));
  return listen.call(this, { host: "127.0.0.1", port: 0 }, ...(ready ? [ready] : []));
};
process.stdin.resume().on("end", () => process.exit(0));
