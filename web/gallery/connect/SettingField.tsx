import { Checkbox, NativeSelect, NumberInput, Textarea, TextInput } from "@mantine/core";
import type { Value } from "./draft";
import { controlId, type Field } from "./fields";
import { External } from "../kit/External";
import classes from "./connect.module.css";

interface Props {
  field: Field;
  value: Value;
  error: string | undefined;
  onChange(value: Value): void;
}

/** What a field is for, and where its value is found. */
export function help({ description, help }: Pick<Field, "description" | "help">) {
  return (
    <>
      {description} {help && <External href={help}>Where do I find it?</External>}
    </>
  );
}

/** A setting that is no secret, in the control that its kind asks for. */
export function SettingField({ field, value, error, onChange }: Props) {
  const { name, title, kind, required, example, choices } = field;
  if (kind === "switch") {
    return (
      <Checkbox id={controlId(name)} label={title} description={help(field)} error={error} checked={value === true} onChange={(event) => onChange(event.currentTarget.checked)} />
    );
  }
  const common = { id: controlId(name), label: title, description: help(field), error, withAsterisk: required, "aria-required": required };
  const text = String(value);
  switch (kind) {
    case "number":
      return (
        <NumberInput
          {...common}
          classNames={{ wrapper: classes.narrow ?? "" }}
          value={text}
          {...field.range}
          clampBehavior="none"
          allowDecimal={false}
          placeholder={field.standard === undefined ? example : String(field.standard)}
          onChange={(number) => onChange(String(number))}
        />
      );
    case "list":
      return (
        <Textarea
          {...common}
          autosize
          minRows={2}
          maxRows={8}
          spellCheck={false}
          placeholder={example}
          description={
            <>
              {help(field)} One in each line.
            </>
          }
          value={text}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      );
    case "choice":
      return (
        <NativeSelect {...common} data={required ? choices : ["", ...choices]} value={text} onChange={(event) => onChange(event.currentTarget.value)} />
      );
    default:
      return field.long ? (
        <Textarea {...common} autosize minRows={2} maxRows={8} spellCheck={false} placeholder={example} value={text} onChange={(event) => onChange(event.currentTarget.value)} />
      ) : (
        <TextInput {...common} spellCheck={false} autoComplete="off" placeholder={example} value={text} onChange={(event) => onChange(event.currentTarget.value)} />
      );
  }
}
