//! `score WIDTH HEIGHT REFERENCE DISTORTED…`: the SSIMULACRA2 score of each distorted picture, one a
//! line; pictures are files of raw RGB bytes.

use ssimulacra2::{ColorPrimaries, Rgb, TransferCharacteristic, compute_frame_ssimulacra2};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [width, height, reference, distorted @ ..] = arguments.as_slice() else {
        return Err("usage: score WIDTH HEIGHT REFERENCE DISTORTED…".into());
    };
    let size = (width.parse()?, height.parse()?);
    let reference = picture(reference, size)?;
    for file in distorted {
        let score = compute_frame_ssimulacra2(reference.clone(), picture(file, size)?)?;
        println!("{score:.3}");
    }
    Ok(())
}

fn picture(file: &str, (width, height): (usize, usize)) -> Result<Rgb, Box<dyn std::error::Error>> {
    let bytes = std::fs::read(file)?;
    let pixels = bytes.as_chunks::<3>().0.iter().map(|pixel| pixel.map(|v| f32::from(v) / 255.0));
    Ok(Rgb::new(
        pixels.collect(),
        width,
        height,
        TransferCharacteristic::SRGB,
        ColorPrimaries::BT709,
    )?)
}
