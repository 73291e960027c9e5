import { Anchor, Button, NativeSelect, Stack, Table, Text, Title } from "@mantine/core";
import { useState } from "react";
import { useMutation } from "urql";
import { Link } from "wouter";
import { usePolling } from "../connection";
import { trouble, type Trouble } from "../errors";
import { Copyable } from "../kit/Copyable";
import { Empty } from "../kit/Empty";
import { Problem } from "../kit/Problem";
import { When } from "../kit/When";
import { count } from "../kit/words";
import { useAddress } from "../shell/address";
import { useRole } from "../shell/session";
import classes from "./integration.module.css";
import { Deliveries, type Delivery, type Integration, Replay } from "./operations";
import { Rows } from "./Rows";
import { Said } from "./Said";
import { useFilters } from "../shell/useFilters";
import { usePages } from "../kit/usePages";
import { deliveryStatus, webhookHealth } from "./words";

const statuses: Delivery["status"][] = ["RECEIVED", "PROCESSED", "IGNORED", "FAILED"];
const pollEvery = 3_000; // nothing tells of deliveries
const notedWithin = 5_000; // the server notes when the last one came a moment later

interface Props {
  integration: Integration;
  /** Reads it again. */
  readAgain(): void;
}

/** What the third party tells of changes, and what became of it. */
export function Webhooks({ integration, readAgain }: Props) {
  const filters = useFilters();
  const status = statuses.find((name) => name === filters.get("status")) ?? null;
  const { nodes, again, ...list } = usePages(Deliveries, { id: integration.id, status }, (data) => data.webhookDeliveries);
  usePolling(again, pollEvery);
  const newest = new Date(nodes?.[0]?.receivedAt ?? 0).getTime();
  const noted = new Date(integration.webhook?.lastDeliveryAt ?? 0).getTime();
  usePolling(readAgain, pollEvery, integration.webhook !== null && newest - noted > notedWithin); // else it contradicted the list
  const [refused, setRefused] = useState<Trouble | null>(null);
  return (
    <Stack>
      <Health integration={integration} />
      <div>
        <div className={classes.filters}>
          <Title order={2} size="h5" className={classes.grow}>
            Deliveries
          </Title>
          <NativeSelect
            label="Status"
            value={status ?? ""}
            onChange={(event) => filters.set({ status: event.currentTarget.value || null }, { replace: true })}
            data={[{ value: "", label: "All" }, ...statuses.map((value) => ({ value, label: deliveryStatus(value).words }))]}
          />
        </div>
        {refused && <Problem what="It could not be replayed" trouble={refused} />}
        <Rows
          label="Deliveries"
          failed="The deliveries cannot be read"
          {...list}
          again={again}
          head={
            <>
              <Table.Th>Event</Table.Th>
              <Table.Th className={classes.wide} w={160}>
                Came
              </Table.Th>
              <Table.Th className={classes.wide} w={80}>
                Tried
              </Table.Th>
              <Table.Th w="36%">Status</Table.Th>
              <Table.Th className={classes.wide} w={110}>
                Action
              </Table.Th>
            </>
          }
          rows={nodes?.map((delivery) => (
            <Row key={delivery.id} delivery={delivery} onRefused={setRefused} />
          ))}
          empty={
            status ? (
              <Empty title="No delivery is in this state">
                <Button variant="default" onClick={() => filters.set({ status: null }, { replace: true })}>
                  Show all
                </Button>
              </Empty>
            ) : (
              <Empty title="Nothing was delivered yet">Deliveries are kept for 14 days.</Empty>
            )
          }
        />
      </div>
    </Stack>
  );
}

function Health({ integration }: { integration: Integration }) {
  const { webhook, id } = integration;
  const { mayEdit } = useRole();
  const address = useAddress();
  const { words, tone, reason } = webhookHealth(integration);
  return (
    <section className={classes.box} aria-label="Webhook">
      <Stack gap="sm">
        <div>
          <Said words={words} tone={tone} />
          <Text size="sm" c="dimmed">
            {webhook?.lastDeliveryAt && (
              <>
                Last delivery <When at={webhook.lastDeliveryAt} />.{" "}
              </>
            )}
            {reason}
            {webhook && !webhook.hasSecret && " No secret is stored, so nothing can be verified yet."}
          </Text>
        </div>
        {webhook && (
          <div style={{ maxWidth: 720 }}>
            <Copyable label="Address" value={webhook.url} />
          </div>
        )}
        {webhook && mayEdit && (
          <Anchor component={Link} size="sm" href={address.dialog("configure", id)}>
            Register it or change its secret
          </Anchor>
        )}
      </Stack>
    </section>
  );
}

function Row({ delivery, onRefused }: { delivery: Delivery; onRefused(trouble: Trouble | null): void }) {
  const { id, event, deliveryId, status, attempts, error, receivedAt } = delivery;
  const { mayEdit } = useRole();
  const [{ fetching }, replay] = useMutation(Replay);
  const { words, tone } = deliveryStatus(status);
  async function act() {
    const answer = await replay({ id });
    onRefused(trouble(answer.error));
  }
  const button = mayEdit && status !== "RECEIVED" && (
    <Button size="compact-xs" variant="default" loading={fetching} onClick={() => void act()} aria-label={`Replay ${event} ${deliveryId}`}>
      Replay
    </Button>
  );
  return (
    <Table.Tr>
      <Table.Td>
        {event}
        <Text size="xs" c="dimmed" className={classes.narrow}>
          <When at={receivedAt} /> · tried {count(attempts)}×
        </Text>
        {button && <div className={classes.narrow}>{button}</div>}
      </Table.Td>
      <Table.Td className={classes.wide}>
        <When at={receivedAt} />
      </Table.Td>
      <Table.Td className={classes.wide}>{count(attempts)}×</Table.Td>
      <Table.Td>
        <Said words={words} tone={tone} />
        {error && (
          <Text size="xs" c="dimmed">
            {error}
          </Text>
        )}
      </Table.Td>
      <Table.Td className={classes.wide}>{button || "–"}</Table.Td>
    </Table.Tr>
  );
}
