//! Decodes images with our decoders, to compare the pixels with those of others.
//!
//! `cargo run -p image-rules --features codec --example pixels -- --out DIR FILE…`
//!
//! Prints one JSON line for each file: its size, or the code of its rejection. Writes the pixels to
//! `DIR/<number of the line>.rgba`, four bytes each, upright.

use std::{error::Error, fs, path::PathBuf};

use image_rules::{Policy, pixels};
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some("--out"), Some(out)) = (arguments.next().as_deref(), arguments.next()) else {
        return Err("usage: pixels --out DIR FILE…".into());
    };
    let out = PathBuf::from(out);
    fs::create_dir_all(&out)?;
    for (number, file) in arguments.enumerate() {
        let line = match pixels(&fs::read(&file)?, &Policy::BROWSER) {
            Ok(pixels) => {
                let to = out.join(format!("{number}.rgba"));
                fs::write(&to, &pixels.rgba)?;
                let (width, height) = (pixels.width, pixels.height);
                json!({ "file": file, "width": width, "height": height, "rgba": to })
            }
            Err(refusal) => {
                let (code, cause) = (refusal.code().name(), format!("{refusal:?}"));
                json!({ "file": file, "code": code, "cause": cause })
            }
        };
        println!("{line}");
    }
    Ok(())
}
