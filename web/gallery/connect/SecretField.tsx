import { Anchor, Button, Group, Input, PasswordInput, Text, Textarea } from "@mantine/core";
import type { ReactNode } from "react";
import { LockIcon } from "../kit/icons";
import { When } from "../kit/When";
import classes from "./connect.module.css";
import type { Secret } from "./draft";

interface Props {
  id: string;
  label: string;
  description: ReactNode;
  /** Whether one is stored. */
  set: boolean;
  changedAt: string | null;
  required: boolean;
  removable: boolean;
  long: boolean;
  value: Secret;
  error: string | undefined;
  onChange(value: Secret): void;
}

/** A secret: what is stored is never shown, only that it is there and since when. */
export function SecretField(props: Props) {
  const { id, label, description, set, changedAt, value, error, removable, onChange } = props;
  if (!set || typeof value === "string") return <Typing {...props} />;
  const removing = value === null;
  return (
    <Input.Wrapper id={id} label={label} labelElement="div" description={description} error={error} inputWrapperOrder={["label", "description", "input", "error"]}>
      <div className={classes.secret} id={id} role="group" aria-label={label} tabIndex={-1}>
        <LockIcon />
        <Text size="sm" className={classes.grow} c={removing ? "var(--tone-warn)" : "inherit"}>
          {removing ? (
            "Removed when you save"
          ) : changedAt ? (
            <>
              Set · changed <When at={changedAt} />
            </>
          ) : (
            "Set"
          )}
        </Text>
        {removing ? (
          <Button size="compact-sm" variant="default" onClick={() => onChange(undefined)} aria-label={`Keep ${label}`}>
            Keep it
          </Button>
        ) : (
          <Group gap={4} wrap="nowrap">
            {removable && (
              <Button size="compact-sm" variant="subtle" color="red" onClick={() => onChange(null)} aria-label={`Remove ${label}`}>
                Remove
              </Button>
            )}
            <Button size="compact-sm" variant="default" onClick={() => onChange("")} aria-label={`Replace ${label}`}>
              Replace
            </Button>
          </Group>
        )}
      </div>
    </Input.Wrapper>
  );
}

function Typing({ id, label, description, set, required, long, value, error, onChange }: Props) {
  const common = {
    id,
    label,
    description,
    error,
    value: value ?? "",
    autoComplete: "off",
    autoCapitalize: "off",
    spellCheck: false,
    autoFocus: set, // it was asked for just now
    withAsterisk: required && !set,
    "aria-required": required && !set,
    "data-1p-ignore": true,
    "data-lpignore": "true",
    leftSection: <LockIcon />,
  };
  return (
    <div>
      {long ? (
        <Textarea {...common} autosize minRows={4} maxRows={12} classNames={{ input: classes.code ?? "" }} onChange={(event) => onChange(event.currentTarget.value)} />
      ) : (
        <PasswordInput {...common} onChange={(event) => onChange(event.currentTarget.value)} />
      )}
      {set && (
        <Text size="xs" c="dimmed" mt={6}>
          Left empty, the one that is set stays.{" "}
          <Anchor component="button" type="button" size="xs" underline="always" onClick={() => onChange(undefined)}>
            Keep it
          </Anchor>
        </Text>
      )}
    </div>
  );
}
