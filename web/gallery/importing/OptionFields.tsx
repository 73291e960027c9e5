import { Checkbox, NumberInput, Radio, Stack, Text } from "@mantine/core";
import classes from "./importing.module.css";
import { batchSizes, type Options } from "./options";

interface Props {
  options: Options;
  sizeComplaint: string | null;
  onChange(options: Options): void;
  /** Null where only a full import can be right. */
  mode: { onlyChanges: boolean; onChange(onlyChanges: boolean): void } | null;
}

export function OptionFields({ options, sizeComplaint, onChange, mode }: Props) {
  return (
    <div className={classes.options}>
      {mode && (
        <Radio.Group aria-label="How much to read" size="sm" value={mode.onlyChanges ? "changes" : "all"} onChange={(value) => mode.onChange(value === "changes")}>
          <div className={classes.pair}>
            <Radio value="all" label="Full import" description="Reads all that is chosen, and finds what was deleted" />
            <Radio value="changes" label="Only changes" description="What changed since the last import: quicker" />
          </div>
        </Radio.Group>
      )}
      <div className={classes.pair}>
        <Stack gap="xs">
          <Checkbox size="sm" label="Completed items" checked={options.completed} onChange={(event) => onChange({ ...options, completed: event.currentTarget.checked })} />
          <Checkbox size="sm" label="Archived items" checked={options.archived} onChange={(event) => onChange({ ...options, archived: event.currentTarget.checked })} />
        </Stack>
        <NumberInput
          label="Batch size"
          description="Items stored together: fewer show progress more often"
          size="xs"
          min={batchSizes.min}
          max={batchSizes.max}
          step={10}
          allowDecimal={false}
          allowNegative={false}
          clampBehavior="none"
          value={options.batchSize}
          onChange={(value) => onChange({ ...options, batchSize: value === "" ? "" : Number(value) })}
          error={sizeComplaint}
        />
      </div>
      <Text size="xs" c="dimmed">
        These count for this import. The integration's settings stay as they are; what is chosen above is kept for later ones.
      </Text>
    </div>
  );
}
