// Check that an entry stands in a signed log, with nothing but WebCrypto. RFC 6962 and RFC 9162, C2SP signed-note and
// tlog-checkpoint. Touches no page and asks no server: what is given is checked, what is wrong is said.

export class Wrong extends Error {}

const utf8 = new TextEncoder();
const ED25519 = 1;
const MOST_SIZE = 2 ** 53 - 1;

export const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
export const same = (one, other) => one.length === other.length && one.every((byte, place) => byte === other[place]);
const joined = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));

export async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));
}

/** The bytes of standard base64 in its one right spelling. */
export function base64(text, what) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
  } catch {
    throw new Wrong(`${what} is not base64.`);
  }
  if (btoa(String.fromCharCode(...bytes)) !== text) throw new Wrong(`${what} is not base64 of the one right spelling.`);
  return bytes;
}

/** RFC 6962 2.1: leaves hash with 0x00 so that a leaf never passes for a node. */
export const leafHash = (entry) => sha256([0], entry);
export const nodeHash = (left, right) => sha256([1], left, right);

/** RFC 9162 2.1.3.2. Gives each step on the way and the root it ends at. Numbers stay below 2^53, so no bit operators. */
export async function fold(index, size, leaf, hashes) {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || size > MOST_SIZE || index < 0 || index >= size) {
    throw new Wrong(`Entry ${index} cannot stand in a log of ${size} entries.`);
  }
  let here = index;
  let last = size - 1;
  let root = leaf;
  const steps = [];
  for (const hash of hashes) {
    if (hash.length !== 32) throw new Wrong("A hash of the proof is not 32 bytes long.");
    if (last === 0) throw new Wrong("The proof has more hashes than the way to the root has steps.");
    if (here % 2 === 1 || here === last) {
      root = await nodeHash(hash, root);
      steps.push({ side: "left", hash, root });
      while (here % 2 === 0 && here !== 0) {
        here = Math.floor(here / 2);
        last = Math.floor(last / 2);
      }
    } else {
      root = await nodeHash(root, hash);
      steps.push({ side: "right", hash, root });
    }
    here = Math.floor(here / 2);
    last = Math.floor(last / 2);
  }
  if (last !== 0) throw new Wrong("The proof has fewer hashes than the way to the root has steps.");
  return { steps, root };
}

/** A signed note: its text, and who signed it. */
export function note(text) {
  const cut = text.lastIndexOf("\n\n");
  if (cut < 0 || !text.endsWith("\n") || /[\x00-\x09\x0b-\x1f]/.test(text)) {
    throw new Wrong("The checkpoint is no signed note: a text, an empty line, and signatures, all in whole lines.");
  }
  const lines = text.slice(cut + 2, -1).split("\n");
  const signatures = lines.map((line) => {
    const found = /^\u2014 ([^\s+]+) (\S+)$/u.exec(line);
    if (!found) throw new Wrong("A signature line of the checkpoint is not a dash, a name and base64.");
    const bytes = base64(found[2], "A signature");
    if (bytes.length < 5) throw new Wrong("A signature is too short to hold a key id.");
    return { name: found[1], id: bytes.slice(0, 4), signature: bytes.slice(4) };
  });
  return { text: text.slice(0, cut + 1), signatures };
}

/** What a log says of itself: its name, its size, its root. */
export function checkpoint(text) {
  const [origin, size, root, ...more] = text.slice(0, -1).split("\n");
  if (!text.endsWith("\n") || !origin || !size || !root || more.some((line) => !line)) {
    throw new Wrong("The checkpoint has not an origin, a size and a root, each on a line of its own.");
  }
  if (!/^(0|[1-9][0-9]{0,15})$/.test(size)) throw new Wrong("The size in the checkpoint is no plain number.");
  const hash = base64(root, "The root in the checkpoint");
  if (hash.length !== 32) throw new Wrong("The root in the checkpoint is not 32 bytes long.");
  return { origin, size: Number(size), root: hash };
}

/** A public key as text: name+hex(id)+base64(type || key). */
export async function verifier(vkey) {
  const [name, id, ...rest] = vkey.trim().split("+");
  if (!name || /\s/.test(name) || !/^[0-9a-f]{8}$/.test(id ?? "") || !rest.length) {
    throw new Wrong("The key is not a name, an id and base64, joined by plus signs.");
  }
  const key = base64(rest.join("+"), "The key");
  if (key.length !== 33 || key[0] !== ED25519) throw new Wrong("The key is no Ed25519 public key.");
  const made = (await sha256(utf8.encode(`${name}\n`), key)).slice(0, 4);
  if (hex(made) !== id) throw new Wrong(`The key's id should be ${hex(made)}, and it says ${id}.`);
  return { name, id: made, key: key.slice(1) };
}

/** Whether this browser can check Ed25519 signatures at all. */
export async function able() {
  if (!globalThis.crypto?.subtle) return false;
  try {
    await crypto.subtle.importKey("raw", new Uint8Array(32).fill(1), { name: "Ed25519" }, false, ["verify"]);
    return true;
  } catch (failure) {
    return failure.name !== "NotSupportedError" && failure.name !== "OperationError";
  }
}

/** Return if the key signed the note; raise Wrong otherwise. */
export async function signed(parsed, who) {
  const found = parsed.signatures.filter((each) => each.name === who.name && same(each.id, who.id));
  if (!found.length) throw new Wrong("None of the checkpoint's signatures is of this key.");
  const key = await crypto.subtle.importKey("raw", who.key, { name: "Ed25519" }, false, ["verify"]);
  for (const { signature } of found) {
    if (!(await crypto.subtle.verify({ name: "Ed25519" }, key, signature, utf8.encode(parsed.text)))) {
      throw new Wrong("The signature is not one of this key over this checkpoint: one of the two was changed.");
    }
  }
}
