// The GraphQL over HTTP audits against PATCHBAY_URL, as API_KEY if there is one: a JSON line for each.
import { serverAudits } from "graphql-http";

const { PATCHBAY_URL, API_KEY } = process.env;

// These ask for __type, and introspection is for the signed-in: without a key they have to fail.
const introspective = API_KEY ? [] : ["2EA1", "28B9", "D6D5", "6A70"];

const audits = serverAudits({
  url: `${PATCHBAY_URL}/graphql`,
  fetchFn: (url, init = {}) => {
    const headers = new Headers(init.headers);
    if (API_KEY) headers.set("Authorization", `Bearer ${API_KEY}`);
    return fetch(url, { ...init, headers });
  },
});
for (const audit of audits) {
  const { status, reason } = await audit.fn();
  const ok = (status === "ok") !== introspective.includes(audit.id);
  console.log(JSON.stringify({ check: `${audit.id} ${audit.name}`, ok, detail: `${status}: ${reason}` }));
}
