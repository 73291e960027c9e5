import { Button, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import type { ComponentType } from "react";
import { Link } from "wouter";
import { Empty } from "../kit/Empty";
import kit from "../kit/kit.module.css";
import { useSideways } from "../kit/useSideways";
import { useAddress } from "../shell/address";
import { useRole } from "../shell/session";
import classes from "./administration.module.css";
import { AuditSection } from "./AuditSection";
import { EncryptionSection } from "./EncryptionSection";
import { KeysSection } from "./KeysSection";
import { ProjectsSection } from "./ProjectsSection";
import { SessionSection } from "./SessionSection";

interface Section {
  name: string;
  title: string;
  least: "VIEWER" | "EDITOR" | "ADMIN";
  page: ComponentType;
}

const sections: Section[] = [
  { name: "keys", title: "API keys", least: "ADMIN", page: KeysSection },
  { name: "projects", title: "Projects", least: "EDITOR", page: ProjectsSection },
  { name: "audit", title: "Audit log", least: "ADMIN", page: AuditSection },
  { name: "encryption", title: "Encryption", least: "ADMIN", page: EncryptionSection },
  { name: "session", title: "Your session", least: "VIEWER", page: SessionSection },
];

/** What concerns the organisation as a whole, a section for each address. Everybody sees the sections that their role may use. */
export default function AdministrationPage({ section: name }: { section: string }) {
  const { role, mayEdit, mayAdminister } = useRole();
  const address = useAddress();
  const allowed = ({ least }: Section) => least === "VIEWER" || mayAdminister || (least === "EDITOR" && mayEdit);
  const section = sections.find((each) => each.name === name);
  useDocumentTitle(`${section?.title ?? "Administration"} · Patchbay`);
  const nav = useSideways<HTMLElement>(name);

  return (
    <div className={classes.page}>
      <nav ref={nav} className={`${classes.nav} ${kit.sideways}`} aria-label="Administration">
        {sections.filter(allowed).map((each) => (
          <Link key={each.name} href={address.page(`/administration/${each.name}`)} className={classes.link} aria-current={each.name === name ? "page" : undefined}>
            {each.title}
          </Link>
        ))}
      </nav>
      <div className={classes.section}>{content()}</div>
    </div>
  );

  function content() {
    if (!section) {
      return (
        <>
          <Title order={1} size="h3">
            Administration
          </Title>
          <Empty title="There is no such section" />
        </>
      );
    }
    if (allowed(section)) return <section.page />;
    return (
      <>
        <Title order={1} size="h3">
          {section.title}
        </Title>
        <Empty title="Your role does not include this">
          <p className={classes.words}>
            This is for {section.least === "EDITOR" ? "editors and administrators" : "administrators"}, and you are {article(role)} {role.toLowerCase()}. Ask one of them, or sign in with another key.
          </p>
          <Button component={Link} href={address.page("/")} variant="default">
            Back to the integrations
          </Button>
        </Empty>
      </>
    );
  }
}

function article(role: string): string {
  return /^[AEIOU]/.test(role) ? "an" : "a";
}
