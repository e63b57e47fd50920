//! Damaged files: an error or a model, never a panic.

use backpass::Rng;
use backpass_sim::formats::checkpoint::{self, Checkpoint};
use backpass_sim::formats::{Framework, flash, onnx, safetensors};
use backpass_sim::network::{Network, Rule};

use super::harness::{file, read_onnx};

const FLIPS: u32 = 4_000;

/// Cuts a file off everywhere, and changes one to eight of its bytes again and again. Gives how many of these are still read.
fn damage(file: &[u8], read: impl Fn(&[u8]) -> bool) -> u32 {
    let mut whole = 0;
    for length in 0..file.len() {
        whole += u32::from(read(&file[..length]));
    }
    let mut rng = Rng::new(1);
    for _ in 0..FLIPS {
        let mut damaged = file.to_vec();
        for _ in 0..=rng.below(8) {
            let place = rng.below(file.len() as u32) as usize;
            damaged[place] = rng.below(256) as u8;
        }
        whole += u32::from(read(&damaged));
    }
    whole
}

#[test]
fn onnx_files_that_are_damaged_are_no_reason_to_panic() {
    for name in
        ["signal.onnx", "gru.onnx", "image_legacy.onnx", "activations_legacy.onnx", "lstm_legacy.onnx", "residual.onnx"]
    {
        let whole = damage(&file(name), |bytes| onnx::read(bytes, None, &|_| Err("no file".into())).is_ok());
        println!("{name}: {whole} of {} damaged files are still models", file(name).len() as u32 + FLIPS);
    }
}

#[test]
fn safetensors_files_that_are_damaged_are_no_reason_to_panic() {
    let network = Network::from_line("3x20 conv1d(4,5) relu maxpool(2) flatten dense(6) tanh dense(4)").unwrap();
    let bytes = file("signal.safetensors");
    let whole = damage(&bytes, |bytes| safetensors::read(bytes, &network, Framework::PyTorch, None).is_ok());
    println!("{whole} of {} damaged files are still models", bytes.len() as u32 + FLIPS);
}

#[test]
fn images_that_are_damaged_are_no_reason_to_panic() {
    let model = read_onnx("mlp.onnx").unwrap().model;
    let image = checkpoint::write(&model, Rule::Adam);
    let whole = damage(&image, |bytes| match Checkpoint::find(bytes, model.network()) {
        Ok(found) => {
            // The checksums find whatever counts: only padding may have been hit.
            assert_eq!(found.model(model.network()).unwrap(), model);
            true
        }
        Err(_) => false,
    });
    println!("{whole} of {} damaged checkpoints are whole where it counts", image.len() as u32 + FLIPS);
    let hex = flash::to_hex(&image, 0x8000).unwrap().into_bytes();
    damage(&hex, |bytes| std::str::from_utf8(bytes).is_ok_and(|text| flash::from_hex(text).is_ok()));
}
