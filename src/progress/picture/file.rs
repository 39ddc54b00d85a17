//! The pixels as a PNG file: three bytes a pixel, one block of data. Written here because it is this short, and because
//! both parts of it, zlib and CRC, are in the tree already.

use std::io::Write;

use flate2::{Compression, write::ZlibEncoder};
use tiny_skia::PixmapRef;

/// Each row is written as its difference from the row above, which is nothing in most of a picture like this.
const UP: u8 = 2;

pub fn encode(pixels: PixmapRef<'_>) -> anyhow::Result<Vec<u8>> {
    let mut header = Vec::with_capacity(13);
    header.extend(pixels.width().to_be_bytes());
    header.extend(pixels.height().to_be_bytes());
    // Eight bits, red, green and blue, and the only methods that there are.
    header.extend([8, 2, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut file, *b"IHDR", &header)?;
    chunk(&mut file, *b"IDAT", &compressed(pixels)?)?;
    chunk(&mut file, *b"IEND", &[])?;
    Ok(file)
}

fn compressed(pixels: PixmapRef<'_>) -> anyhow::Result<Vec<u8>> {
    let width = usize::try_from(pixels.width())?;
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let mut above = vec![0; width * 3];
    let mut line = Vec::with_capacity(width * 3 + 1);
    for row in pixels.pixels().chunks_exact(width) {
        line.clear();
        line.push(UP);
        let colors = row.iter().flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]);
        for (above, color) in above.iter_mut().zip(colors) {
            line.push(color.wrapping_sub(*above));
            *above = color;
        }
        encoder.write_all(&line)?;
    }
    Ok(encoder.finish()?)
}

fn chunk(file: &mut Vec<u8>, name: [u8; 4], data: &[u8]) -> anyhow::Result<()> {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&name);
    sum.update(data);
    file.extend(u32::try_from(data.len())?.to_be_bytes());
    file.extend(name);
    file.extend(data);
    file.extend(sum.finalize().to_be_bytes());
    Ok(())
}
