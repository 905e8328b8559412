//! Prints `codes.ts`: the public codes and the default policies for TypeScript, from the one source.
//!
//! Run by the Makefile, which writes the file and fails when the committed one differs.

use std::fmt::{self, Write as _};

use image_rules::{Code, Language, Policy};
use serde_json::{Value, json};

const HEAD: &str = "\
// Generated from the image rules by `cargo run -p image-rules --example codes_ts`. Do not edit.

/** How much time the encoder spends to reduce the size. */
export type Effort = \"fast\" | \"balanced\" | \"small\";

/** The limits of uploads, the target of processing, and what a form asks of its pictures. */
export interface Policy {
  readonly limits: {
    readonly maxBytes: number;
    readonly maxPixels: number;
    readonly maxFrames: number;
    readonly maxWorkMs: number;
    readonly maxPeakBytes: number;
  };
  readonly maxEdge: number;
  readonly quality: number;
  readonly effort: Effort;
  readonly targetBytes: number | null;
  /** Media types. */
  readonly acceptedTypes: readonly string[];
  /** Of the upright stored picture. */
  readonly minWidth: number | null;
  readonly minHeight: number | null;
  /** Width to height, such as `4:3`, within 1 %. */
  readonly aspectRatio: string | null;
}

/** The status and the sentences of a code. */
export interface CodeMeaning {
  readonly status: number;
  readonly backendCode: string;
  readonly title: string;
  readonly en: string;
  readonly ko: string;
}
";

fn main() -> Result<(), fmt::Error> {
    let mut out = String::from(HEAD);
    write_code_type(&mut out)?;
    write_codes(&mut out)?;
    write_policy(&mut out, "EDGE_POLICY", "The default policy of the edge.", &Policy::EDGE)?;
    write_policy(
        &mut out,
        "BROWSER_POLICY",
        "The default policy of the browser package.",
        &Policy::BROWSER,
    )?;
    print!("{out}");
    Ok(())
}

fn write_code_type(out: &mut String) -> fmt::Result {
    write!(out, "\n/** The reason of a rejection. */\nexport type Code =")?;
    for code in Code::ALL {
        write!(out, "\n  | {}", Value::from(code.name()))?;
    }
    writeln!(out, ";")
}

fn write_codes(out: &mut String) -> fmt::Result {
    writeln!(out, "\n/** All codes. */")?;
    writeln!(out, "export const CODES: Readonly<Record<Code, CodeMeaning>> = {{")?;
    for code in Code::ALL {
        writeln!(out, "  {}: {{", code.name())?;
        for (field, value) in [
            ("status", json!(code.status())),
            ("backendCode", json!(code.backend_code())),
            ("title", json!(code.title())),
            ("en", json!(code.message(Language::En))),
            ("ko", json!(code.message(Language::Ko))),
        ] {
            writeln!(out, "    {field}: {value},")?;
        }
        writeln!(out, "  }},")?;
    }
    writeln!(out, "}};")
}

fn write_policy(out: &mut String, name: &str, says: &str, policy: &Policy) -> fmt::Result {
    writeln!(out, "\n/** {says} */")?;
    writeln!(out, "export const {name}: Policy = {};", json!(policy))
}
