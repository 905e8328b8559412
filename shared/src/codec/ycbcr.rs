//! Red, green and blue as luma and chroma, and back.

/// ITU-R BT.601 over the full range, as JFIF has it (T.871 §7), in 16 fractional bits.
pub(crate) fn ycbcr([r, g, b]: [u8; 3]) -> [u8; 3] {
    let (r, g, b) = (i32::from(r), i32::from(g), i32::from(b));
    let half = 1 << 15;
    let middle = (128 << 16) + half - 1;
    [
        byte((19_595 * r + 38_470 * g + 7_471 * b + half) >> 16),
        byte((-11_059 * r - 21_709 * g + 32_768 * b + middle) >> 16),
        byte((32_768 * r - 27_439 * g - 5_329 * b + middle) >> 16),
    ]
}

/// The inverse of [`ycbcr`].
pub(crate) fn rgb([y, blue, red]: [u8; 3]) -> [u8; 3] {
    let y = (i32::from(y) << 16) + (1 << 15);
    let (blue, red) = (i32::from(blue) - 128, i32::from(red) - 128);
    [
        byte((y + 91_881 * red) >> 16),
        byte((y - 22_554 * blue - 46_802 * red) >> 16),
        byte((y + 116_130 * blue) >> 16),
    ]
}

#[expect(clippy::cast_sign_loss, reason = "clamped to a byte")]
fn byte(value: i32) -> u8 {
    value.clamp(0, 255) as u8
}
