// The page's "Verify in this browser": fetch the bytes and the proof of each entry, check them step by step, and show how.

const place = document.querySelector("[data-verify]");
// Served under a name that changes with its bytes, which only the page knows.
const { Wrong, able, base64, checkpoint, fold, hex, leafHash, note, same, signed, verifier } = await import(place.dataset.proof);
const kept = "gateway.vkey";
const number = (value) => value.toLocaleString("en").replaceAll(",", "\u202f");

function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

/** One list of numbered steps. A step is shown as soon as it is done, with what came out of it. */
class Steps {
  constructor(heading) {
    this.list = element("ol", "", "proof-steps");
    place.querySelector("[data-steps]").append(element("h3", heading), this.list);
  }

  async take(title, work) {
    const item = element("li", "");
    item.append(element("p", title));
    this.list.append(item);
    try {
      const { said, values = [], tone = "good" } = await work();
      item.className = tone;
      item.append(element("p", `${tone === "good" ? "✓ Holds." : "! Look here."} ${said}`, "verdict"));
      for (const value of values) item.append(element("p", value, "proof-value"));
    } catch (failure) {
      const why = failure instanceof Wrong ? failure.message : "The gateway did not give what is needed, or not in its form.";
      item.className = "bad";
      item.append(element("p", `✗ Fails. ${why}`, "verdict"));
      throw new Wrong(`${title}: ${why}`);
    }
  }
}

async function given(path) {
  const answer = await fetch(path, { headers: { accept: "*/*" }, redirect: "error" });
  if (!answer.ok) throw new Wrong(`The gateway answered ${answer.status}.`);
  return answer;
}

function belongs(bytes, index) {
  let entry;
  try {
    entry = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new Wrong("The bytes are no JSON: they were changed.");
  }
  if (entry.index !== index) throw new Wrong(`The bytes say that they are entry ${entry.index}, and entry ${index} was asked for.`);
  if (entry.disclosure !== place.dataset.disclosure) throw new Wrong("The bytes are about another disclosure than this page.");
  return entry;
}

async function verify(index, pinned) {
  const steps = new Steps(`Entry ${number(index)}`);
  const base = `${place.dataset.base}${index}`;
  let bytes, leaf, proof, parsed, head, who;
  await steps.take("The stored bytes of the entry", async () => {
    bytes = new Uint8Array(await (await given(base)).arrayBuffer());
    const entry = belongs(bytes, index);
    return { said: `${number(bytes.length)} bytes, an entry of the kind ${entry.kind}, about this disclosure.` };
  });
  await steps.take("Their hash: SHA-256 of 0x00 and the bytes", async () => {
    leaf = await leafHash(bytes);
    proof = await (await given(`${base}/proof`)).json();
    if (proof.index !== index) throw new Wrong(`The proof is of entry ${proof.index}.`);
    if (!same(leaf, base64(proof.leaf, "The recorded hash"))) {
      throw new Wrong(`The bytes hash to ${hex(leaf)}, and the log recorded another hash: the bytes were changed.`);
    }
    return { said: "It is the hash that the log recorded.", values: [hex(leaf)] };
  });
  await steps.take("The checkpoint: what the log says of itself", async () => {
    parsed = note(proof.checkpoint);
    head = checkpoint(parsed.text);
    if (head.size !== proof.size) throw new Wrong(`It speaks of ${head.size} entries, and the proof of ${proof.size}.`);
    return { said: `The log ${head.origin} holds ${number(head.size)} entries.`, values: [`root ${hex(head.root)}`] };
  });
  await steps.take("From the hash to the root, by the proof", async () => {
    const hashes = proof.hashes.map((each) => base64(each, "A hash of the proof"));
    const folded = await fold(index, head.size, leaf, hashes);
    const values = folded.steps.map(({ side, hash, root }) => `with ${hex(hash)} on the ${side} = ${hex(root)}`);
    if (!same(folded.root, head.root)) {
      throw new Wrong(`It leads to ${hex(folded.root)}, which is not the root of the checkpoint: the entry, the proof or the log was changed.`);
    }
    return { said: `${values.length} ${values.length === 1 ? "step" : "steps"} lead to the root of the checkpoint.`, values };
  });
  await steps.take("The key of the log", async () => {
    who = await verifier(pinned || proof.key);
    if (who.name !== head.origin) throw new Wrong(`The key is of ${who.name}, and the checkpoint of ${head.origin}.`);
    return { said: `Its id ${hex(who.id)} belongs to its name and its bytes.`, values: [`${who.name} ${hex(who.key)}`] };
  });
  await steps.take("The signature of the log over the checkpoint (Ed25519)", async () => {
    await signed(parsed, who);
    return { said: "The key signed exactly this checkpoint." };
  });
  await steps.take("The key that you kept", async () => {
    if (!pinned) {
      return {
        tone: "warn",
        said: "You gave none, so the key is the one that the gateway names itself: all of this agrees with itself, and with nothing outside of it. Paste the key that you got on day one and verify once more.",
      };
    }
    if (pinned !== proof.key) throw new Wrong("The gateway names another key now than the one that you kept. Ask the clinic why.");
    return { said: "It is the key that the log is signed with now." };
  });
}

async function start(event) {
  const button = event.currentTarget;
  const pinned = place.querySelector("#pinned").value.trim();
  const result = place.querySelector("[data-result]");
  button.disabled = true;
  place.querySelector("[data-steps]").replaceChildren();
  try {
    if (pinned) localStorage.setItem(kept, pinned);
    else localStorage.removeItem(kept);
  } catch {
    // a browser that keeps nothing
  }
  try {
    const indexes = place.dataset.entries.trim().split(/\s+/).map(Number);
    for (const index of indexes) await verify(index, pinned);
    const many = indexes.length === 1 ? "The entry stands" : `All ${indexes.length} entries stand`;
    result.className = `alert ${pinned ? "good" : "warn"}`;
    result.textContent = `${many} in the log as shown${pinned ? ", signed with the key that you kept." : ", signed with the key that the gateway names. Compare it with the one that you kept."}`;
  } catch (failure) {
    result.className = "alert bad";
    result.textContent = `It does not verify. ${failure.message}`;
  }
  button.disabled = false;
}

const works = place.querySelector("[data-works]");
if (await able()) {
  try {
    works.querySelector("#pinned").value = localStorage.getItem(kept) ?? "";
  } catch {
    // a browser that keeps nothing
  }
  works.hidden = false;
  works.querySelector("[data-start]").addEventListener("click", start);
} else {
  const result = place.querySelector("[data-result]");
  result.className = "alert warn";
  result.textContent = "This browser cannot check Ed25519 signatures here: it is too old, or the page was not reached over https. Check a bundle of evidence on your own machine instead, as below.";
  place.querySelector("details").open = true;
}
