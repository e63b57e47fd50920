//! The two forms of the charts: elements of the page, and a bitmap that stands alone.

use std::error::Error;

use plotters::backend::RGBPixel;
use plotters::prelude::*;

use super::chart::Chart;
use super::draw::{Medium, draw};

/// The width and height of the bitmap in pixels; the height is that of a row of charts.
pub(super) const PNG_SIZE: (u32, u32) = (1200, 480);

/// More charts than this do not fit side by side.
const MOST_COLUMNS: usize = 3;

/// The width and height of a chart in the page, in the unit of its lengths.
const SVG_SIZE: (u32, u32) = (480, 370);

/// The factor by which the charts are drawn larger than they are shown.
const SCALE: u32 = 3;

/// How far too high plotters sets text in bitmaps, in percent of its size.
const BITMAP_TEXT_RISE: u32 = 18;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Draws `chart` as an `svg` element that fills the width it is given.
pub(super) fn svg(chart: &Chart) -> Outcome<String> {
    let (width, height) = (SVG_SIZE.0 * SCALE, SVG_SIZE.1 * SCALE);
    let mut document = String::new();
    let area = SVGBackend::with_string(&mut document, (width, height)).into_drawing_area();
    draw(chart, &area, Medium { scale: SCALE, text_rise: 0 })?;
    area.present()?;
    drop(area);
    // The opening tag is replaced: it fixes a size and has no name for those who cannot see the chart.
    let (_, content) = document.split_once('>').ok_or("the drawing is no SVG element")?;
    let description = chart.description();
    Ok(format!(
        "<svg class=\"chart\" role=\"img\" aria-label=\"{description}\" viewBox=\"0 0 {width} {height}\">{content}"
    ))
}

/// Draws the charts side by side, in rows if they are many, as a PNG file.
pub(super) fn png(charts: &[Chart]) -> Outcome<Vec<u8>> {
    let columns = charts.len().clamp(1, MOST_COLUMNS);
    let rows = charts.len().div_ceil(columns).max(1);
    let (width, height) = (PNG_SIZE.0 * SCALE, PNG_SIZE.1 * rows as u32 * SCALE);
    let mut pixels = vec![0; width as usize * height as usize * 3];
    let backend = BitMapBackend::<RGBPixel>::with_buffer_and_format(&mut pixels, (width, height))?;
    let area = backend.into_drawing_area();
    area.fill(&WHITE)?;
    for (chart, part) in charts.iter().zip(area.split_evenly((rows, columns))) {
        draw(chart, &part, Medium { scale: SCALE, text_rise: BITMAP_TEXT_RISE })?;
    }
    area.present()?;
    drop(area);
    encode(&shrink(&pixels), PNG_SIZE.1 * rows as u32)
}

/// The image of [`PNG_SIZE`]'s width whose pixels are the means of squares of `SCALE` by `SCALE` pixels: its edges are smooth.
fn shrink(pixels: &[u8]) -> Vec<u8> {
    let scale = SCALE as usize;
    let row = PNG_SIZE.0 as usize * scale * 3;
    let mut shrunk = Vec::with_capacity(pixels.len() / (scale * scale));
    for rows in pixels.chunks_exact(row * scale) {
        for left in (0..row).step_by(scale * 3) {
            for channel in left..left + 3 {
                let square = rows.chunks_exact(row).flat_map(|row| row[channel..].iter().step_by(3).take(scale));
                let sum: u32 = square.map(|value| u32::from(*value)).sum();
                shrunk.push((sum / (SCALE * SCALE)) as u8);
            }
        }
    }
    shrunk
}

fn encode(pixels: &[u8], height: u32) -> Outcome<Vec<u8>> {
    let mut file = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut file, PNG_SIZE.0, height);
    encoder.set_color(::png::ColorType::Rgb);
    encoder.set_compression(::png::Compression::High);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::super::EpochSummary;
    use super::*;

    /// The charts of epochs with the given losses and accuracies.
    fn charts(values: &[(f32, f32)]) -> [Chart; 2] {
        let epoch = |(epoch, &(loss, test_accuracy)): (u32, &(f32, f32))| EpochSummary {
            epoch,
            training_loss: loss,
            test_loss: loss,
            test_accuracy,
        };
        let epochs: Vec<_> = (1..).zip(values).map(epoch).collect();
        [Chart::of_losses(&epochs), Chart::of_accuracy(&epochs)]
    }

    /// The pixels of a PNG file, three bytes each.
    fn pixels(file: &[u8]) -> Vec<u8> {
        let mut reader = ::png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), PNG_SIZE);
        pixels
    }

    #[test]
    fn the_bitmap_has_the_promised_size_and_shows_every_colour() {
        let pixels = pixels(&png(&charts(&[(1.0, 0.5), (0.5, 0.75)])).unwrap());
        assert_eq!(pixels[..3], [0xFF; 3]);
        for colour in [[0x00, 0x72, 0xB2], [0xD5, 0x5E, 0x00], [0x00, 0x9E, 0x73]] {
            assert!(pixels.chunks_exact(3).any(|pixel| pixel == colour), "{colour:?}");
        }
    }

    #[test]
    fn a_single_epoch_is_visible() {
        let count = |values| {
            let pixels = pixels(&png(&charts(values)).unwrap());
            pixels.chunks_exact(3).filter(|pixel| *pixel == [0x00, 0x9E, 0x73]).count()
        };
        // The legend alone has the colour too.
        assert!(count(&[(0.5, 0.5)]) > count(&[]) + 20);
    }

    #[test]
    fn the_charts_of_the_page_have_a_description() {
        let element = svg(&charts(&[(1.0, 0.5), (0.5, 0.75)])[0]).unwrap();
        assert!(element.starts_with("<svg ") && element.trim_end().ends_with("</svg>"));
        assert!(element.contains("aria-label=\"") && !element.contains("xmlns"));
    }

    #[test]
    fn the_style_sheet_knows_every_colour_of_the_charts() {
        let style = include_str!("style.css");
        for chart in charts(&[(1.0, 0.5), (0.5, 0.75)]) {
            let element = svg(&chart).unwrap();
            let colours = element.split("stroke=\"#").skip(1).map(|rest| &rest[..6]);
            colours.for_each(|colour| assert!(style.contains(&format!("[stroke=\"#{colour}\"]")), "{colour}"));
        }
    }

    #[test]
    fn unusual_runs_can_be_drawn() {
        let long: Vec<_> = (0..300).map(|index| (1.0 / index as f32, 0.5)).collect();
        let runs: [&[(f32, f32)]; 7] = [
            &[],
            &[(0.0, 0.0)],
            &[(0.7, 1.0); 5],
            &[(f32::NAN, f32::NAN); 3],
            &[(f32::MAX, 0.0), (f32::MIN, 1.0), (f32::INFINITY, f32::MAX)],
            &[(f32::MIN_POSITIVE, f32::MIN_POSITIVE), (0.0, -1.0)],
            &long,
        ];
        for run in runs {
            let charts = charts(run);
            assert_eq!(pixels(&png(&charts).unwrap()).len(), (PNG_SIZE.0 * PNG_SIZE.1 * 3) as usize);
            assert!(charts.iter().all(|chart| svg(chart).is_ok()));
        }
    }
}
