import { Stack, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";

interface Props {
  title: string;
  /** 1 where it is all that the page has. */
  order?: 1 | 2;
  children?: ReactNode;
}

/** A place that has nothing yet: what would be here, and what to do. */
export function Empty({ title, order = 2, children }: Props) {
  return (
    <Stack align="center" gap="xs" py="xl" ta="center">
      <Title order={order} size="h4">
        {title}
      </Title>
      {typeof children === "string" ? <Text c="dimmed">{children}</Text> : children}
    </Stack>
  );
}
