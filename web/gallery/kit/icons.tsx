import type { ReactNode } from "react";

// Drawn for a grid of 16, in the text's colour. Each stands beside words, or in a button that has a label.
function icon(children: ReactNode) {
  return function Icon({ size = 16 }: { size?: number }) {
    return (
      <svg width={size} height={size} viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true" focusable="false">
        {children}
      </svg>
    );
  };
}

export const SearchIcon = icon(<path d="M11.5 11.5 14 14M12.5 7.25a5.25 5.25 0 1 1-10.5 0 5.25 5.25 0 0 1 10.5 0Z" />);
export const MoreIcon = icon(<path d="M3.5 8h.01M8 8h.01M12.5 8h.01" strokeWidth="2.25" />);
export const CheckIcon = icon(<path d="m3 8.5 3.25 3.25L13 5" />);
export const CopyIcon = icon(<path d="M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z" />);
export const SunIcon = icon(
  <>
    <circle cx="8" cy="8" r="2.75" />
    <path d="M8 1.5V3M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1.06 1.06M11.54 11.54l1.06 1.06M3.4 12.6l1.06-1.06M11.54 4.46l1.06-1.06" />
  </>,
);
export const MoonIcon = icon(<path d="M13.5 9.6A5.75 5.75 0 0 1 6.4 2.5a5.75 5.75 0 1 0 7.1 7.1Z" />);
export const PersonIcon = icon(<path d="M8 8a2.75 2.75 0 1 0 0-5.5A2.75 2.75 0 0 0 8 8Zm-5.25 5.75c.5-2.6 2.6-4 5.25-4s4.75 1.4 5.25 4" />);
export const AlertIcon = icon(<path d="M8 6v3M8 11.5h.01M7.1 2.5 1.6 12a1 1 0 0 0 .9 1.5h11a1 1 0 0 0 .9-1.5L8.9 2.5a1 1 0 0 0-1.8 0Z" />);
export const ChevronIcon = icon(<path d="m4 6 4 4 4-4" />);
export const RepeatIcon = icon(<path d="M13.5 3v3.5H10M13.2 6.3A5.5 5.5 0 1 0 13.5 9" />);
export const LockIcon = icon(<path d="M5 7V5a3 3 0 0 1 6 0v2M3.5 7h9v6.5h-9zM8 9.75v1" />);
export const ExternalIcon = icon(<path d="M6.5 3.5h-3v9h9v-3M9 2.5h4.5V7M13.25 2.75 7.5 8.5" />);
export const CloseIcon = icon(<path d="m4 4 8 8M12 4l-8 8" />);
