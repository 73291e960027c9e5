import { NativeSelect, NumberInput, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { When } from "../kit/When";
import classes from "./connect.module.css";
import { same } from "./draft";
import { choiceOf, chosen, presets, timeZones } from "./schedule";
import type { Configuration } from "./useConfiguration";

const choices = [
  { value: "off", label: "Off: only when somebody starts it" },
  ...presets.map(([minutes, words]) => ({ value: String(minutes), label: words })),
  { value: "every", label: "Every so many minutes…" },
  { value: "cron", label: "At set times (cron)…" },
];
const here = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** When the integration synchronises by itself. */
export function ScheduleFields({ form: { draft, base, complaints, change, integration } }: { form: Configuration }) {
  const { schedule } = draft;
  const [own, setOwn] = useState(choiceOf(schedule) === "every");
  const set = (to: typeof schedule) => change({ schedule: to }, "schedule", "schedule.everyMinutes", "schedule.cron", "schedule.timeZone");
  const next = integration?.enabled && same(base.schedule, schedule) ? integration.syncState.nextSyncAt : null;
  return (
    <Stack gap="sm">
      <NativeSelect
        label="Schedule"
        description="Then what changed since the last sync is read."
        error={complaints.fields.schedule}
        value={own && schedule.kind === "every" ? "every" : choiceOf(schedule)}
        data={choices}
        onChange={(event) => {
          const choice = event.currentTarget.value;
          setOwn(choice === "every");
          set(chosen(choice, schedule, here));
        }}
      />
      {schedule.kind === "every" && (own || choiceOf(schedule) === "every") && (
        <NumberInput
          label="Minutes between two syncs"
          description="1 to 10,080, which is a week."
          classNames={{ wrapper: classes.narrow ?? "" }}
          min={1}
          max={10_080}
          clampBehavior="none"
          allowDecimal={false}
          error={complaints.fields["schedule.everyMinutes"]}
          value={schedule.minutes}
          onChange={(minutes) => set({ kind: "every", minutes: String(minutes) })}
        />
      )}
      {schedule.kind === "cron" && (
        <div className={classes.pair}>
          <TextInput
            label="Cron line"
            description="Minute, hour, day of month, month, day of week."
            error={complaints.fields["schedule.cron"]}
            classNames={{ input: classes.code ?? "" }}
            spellCheck={false}
            autoComplete="off"
            value={schedule.cron}
            onChange={(event) => set({ ...schedule, cron: event.currentTarget.value })}
          />
          <NativeSelect
            label="Time zone"
            description="Whose clock the line is about."
            error={complaints.fields["schedule.timeZone"]}
            data={timeZones(schedule.timeZone)}
            value={schedule.timeZone}
            onChange={(event) => set({ ...schedule, timeZone: event.currentTarget.value })}
          />
        </div>
      )}
      {next && (
        <Text size="xs" c="dimmed">
          Next sync <When at={next} />
        </Text>
      )}
      {integration && !integration.enabled && schedule.kind !== "off" && (
        <Text size="xs" c="dimmed">
          The integration is disabled: its schedule rests until it is enabled.
        </Text>
      )}
    </Stack>
  );
}
