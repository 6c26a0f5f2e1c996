// Passkeys: ask our page for a challenge, let the browser answer it, put the answer into the form and send that.

const wrongs = {
  NotAllowedError: "No passkey was chosen, or it took too long. Try again.",
  InvalidStateError: "This device has a passkey for your account already.",
  SecurityError: "Passkeys do not work at this address. Open the pages at their usual one.",
};

const bytesOf = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
const textOf = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

function read(options) {
  options.challenge = bytesOf(options.challenge);
  if (options.user) options.user.id = bytesOf(options.user.id);
  for (const list of ["excludeCredentials", "allowCredentials"]) {
    for (const each of options[list] ?? []) each.id = bytesOf(each.id);
  }
  return options;
}

function written(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = textOf(credential.response[name]);
  }
  return JSON.stringify({
    id: credential.id,
    rawId: textOf(credential.rawId),
    type: credential.type,
    response,
    clientExtensionResults: credential.getClientExtensionResults(),
  });
}

async function send(form, event) {
  event.preventDefault();
  const fault = form.querySelector(".fault");
  const button = form.querySelector("button");
  fault.hidden = true;
  button.disabled = true;
  try {
    const body = new URLSearchParams({ csrf: form.elements.csrf.value });
    const asked = await fetch(form.dataset.passkey, { method: "POST", body });
    if (!asked.headers.get("content-type")?.includes("json")) {
      if (asked.redirected && form.dataset.confirm) return location.assign(form.dataset.confirm);
      throw new Error("no options");
    }
    const publicKey = read(await asked.json());
    const credential = "new" in form.dataset
      ? await navigator.credentials.create({ publicKey })
      : await navigator.credentials.get({ publicKey });
    form.elements.answer.value = written(credential);
    form.submit();
  } catch (failure) {
    fault.textContent = wrongs[failure.name] ?? "The passkey could not be used. Load the page anew and try again.";
    fault.hidden = false;
    button.disabled = false;
  }
}

if (window.PublicKeyCredential) {
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.addEventListener("submit", (event) => send(form, event));
  }
}
