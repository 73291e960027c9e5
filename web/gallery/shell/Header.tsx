import { ActionIcon, Anchor, Button, Group, Menu, Text, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useState } from "react";
import { Link } from "wouter";
import { CheckIcon, ChevronIcon, MoonIcon, PersonIcon, SunIcon } from "../kit/icons";
import { capital } from "../kit/words";
import { useAddress } from "./address";
import classes from "./shell.module.css";
import { useProjects } from "./scope";
import { useRole, useSignedIn } from "./session";

export function Header() {
  const address = useAddress();
  return (
    <header className={classes.header}>
      <div className={classes.bar}>
        <Anchor component={Link} href={address.page("/")} className={classes.brand} underline="never">
          Patchbay
        </Anchor>
        <Projects />
        <Group gap="xs" ml="auto" wrap="nowrap">
          <ColorScheme />
          <Account />
        </Group>
      </div>
    </header>
  );
}

function Projects() {
  const { viewer } = useSignedIn();
  const { mayEdit } = useRole();
  const { projects, chosen, complete } = useProjects();
  const address = useAddress();
  if (!projects?.length || (!chosen && !complete)) return null;
  return (
    <Menu position="bottom-start" width={260}>
      <Menu.Target>
        <Button variant="subtle" color="gray" size="compact-sm" className={classes.project} rightSection={<ChevronIcon size={12} />} aria-label={chosen ? `Project ${chosen.name}: choose another` : undefined}>
          {chosen?.name ?? "Choose a project"}
        </Button>
      </Menu.Target>
      <Menu.Dropdown className={classes.projects}>
        <Menu.Label>Organisation {viewer.orgId}</Menu.Label>
        {projects.map(({ id, name }) => (
          <Menu.Item key={id} component={Link} href={address.gallery(id)} rightSection={id === chosen?.id && <CheckIcon />} aria-current={id === chosen?.id || undefined}>
            {name}
          </Menu.Item>
        ))}
        {mayEdit && (
          <>
            <Menu.Divider />
            <Menu.Item component={Link} href={address.page("/administration/projects")}>
              All projects, and new ones
            </Menu.Item>
          </>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}

function ColorScheme() {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme("light") === "dark";
  return (
    <ActionIcon variant="subtle" color="gray" size="lg" onClick={() => setColorScheme(dark ? "light" : "dark")} aria-label={dark ? "Light colours" : "Dark colours"}>
      {dark ? <SunIcon /> : <MoonIcon />}
    </ActionIcon>
  );
}

function Account() {
  const { viewer, signOut } = useSignedIn();
  const { mayAdminister } = useRole();
  const address = useAddress();
  const [complaint, setComplaint] = useState<string | null>(null);
  return (
    <Menu position="bottom-end" width={260}>
      <Menu.Target>
        <Button variant="subtle" color="gray" size="compact-sm" h={34} leftSection={<PersonIcon />} aria-label={`Account: ${viewer.role.toLowerCase()}`}>
          <span className={classes.role}>{viewer.role.toLowerCase()}</span>
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {/* No paragraph: a menu may not hold one. */}
          <Text component="span" display="block" size="sm" className={classes.subject}>
            {viewer.subject}
          </Text>
          {capital(viewer.role.toLowerCase())} of {viewer.orgId ?? "no organisation"}
        </Menu.Label>
        <Menu.Divider />
        <Menu.Item component={Link} href={address.page("/administration/session")}>
          Your session
        </Menu.Item>
        {mayAdminister && (
          <Menu.Item component={Link} href={address.page("/administration")}>
            Administration
          </Menu.Item>
        )}
        <Menu.Item component="a" href="/graphiql">
          GraphiQL
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item closeMenuOnClick={false} onClick={() => void signOut().then(setComplaint)}>
          {complaint ?? "Sign out"}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
