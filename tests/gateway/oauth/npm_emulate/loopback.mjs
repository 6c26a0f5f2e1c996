// The emulator listens everywhere and has no setting for that: from here on it listens on this machine only.
import net from "node:net";
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...given) {
  if (typeof given[0] === "number") {
    const back = given.find((each) => typeof each === "function");
    return listen.call(this, { port: given[0], host: "127.0.0.1" }, back);
  }
  if (given[0] && typeof given[0] === "object" && given[0].port !== undefined) given[0] = { ...given[0], host: "127.0.0.1" };
  return listen.apply(this, given);
};
