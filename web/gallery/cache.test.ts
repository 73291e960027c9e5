import assert from "node:assert/strict";
import test from "node:test";
import { Client, fetchExchange, subscriptionExchange } from "urql";
import { cache } from "./cache";
import { graphql } from "./graphql";
import { IntegrationChanged } from "./shell/operations";

const Known = graphql(`query Known { integrationById(id: "1") { id settings secretChanges { name changedAt } } }`);
const Structure = graphql(`query Structure { externalStructure(integrationId: "1") { externalId name } }`);

const integration = {
  __typename: "PublicIntegration",
  id: "1",
  name: "clickup",
  displayName: "ClickUp",
  description: null,
  enabled: true,
  logoUrl: null,
  revision: 1,
  settings: { workspace_id: "9" },
  configuredSecrets: ["api_token"],
  secretChanges: [{ __typename: "SecretChange", name: "api_token", changedAt: "2026-03-01T12:00:00Z" }],
  hasConfiguration: true,
  webhook: null,
};
const answers: Record<string, object> = {
  Known: { integrationById: integration },
  Structure: { externalStructure: [{ __typename: "ExternalNode", externalId: "9", name: "Acme" }] },
};

test("what there is to import is read again once somebody else's change may show other things, and not by others", async () => {
  const asked: string[] = [];
  let tell = (_: object) => {};
  const client = new Client({
    url: "http://server/graphql",
    preferGetMethod: false,
    fetch: (_, init) => {
      const { operationName } = JSON.parse(String(init?.body)) as { operationName: string };
      asked.push(operationName);
      return Promise.resolve(new Response(JSON.stringify({ data: answers[operationName] }), { headers: { "Content-Type": "application/json" } }));
    },
    exchanges: [
      cache,
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: () => ({
          subscribe(sink) {
            tell = (now) => sink.next({ data: { integrationChanged: { __typename: "IntegrationChange", integrationId: "1", integration: { ...integration, ...now } } } });
            return { unsubscribe() {} };
          },
        }),
      }),
    ],
  });
  const readings = async (now: object) => {
    tell(now);
    await new Promise((resolve) => setTimeout(resolve, 20));
    return asked.filter((name) => name === "Structure").length;
  };
  await client.query(Known, {}).toPromise();
  client.query(Structure, {}).subscribe(() => {});
  client.subscription(IntegrationChanged, { orgId: "local", projectId: "p" }).subscribe(() => {});
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(await readings({ enabled: false, revision: 2 }), 1);
  const [secret] = integration.secretChanges;
  const replaced = { secretChanges: [{ ...secret, changedAt: "2026-03-02T12:00:00Z" }] };
  assert.equal(await readings(replaced), 2);
  assert.equal(await readings({ ...replaced, displayName: "Studio" }), 2);
  assert.equal(await readings({ ...replaced, settings: { workspace_id: "10" } }), 3);
});
