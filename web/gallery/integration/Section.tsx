import { Title } from "@mantine/core";

/** A part of an object's drawer, under its own heading. */
export function Section({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <section>
      <Title order={3} size="h6" mb="xs">
        {title}
      </Title>
      {children}
    </section>
  );
}
