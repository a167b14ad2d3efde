//! `sobol_rng.json`, and the packed direction numbers against the published table.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Read;
use std::path::Path;

use common::{cases, folder, load};
use risk_core::rng::{Philox4x64, Sobol};
use serde_json::Value;

#[test]
fn sobol_rng() {
    let Some(vectors) = load("sobol_rng") else { return };
    for case in cases(&vectors) {
        match case["kind"].as_str().unwrap() {
            "sobol" => check_sobol(case),
            "philox4x64_10" => check_philox(case),
            "philox4x64_10_kat" => check_known_answer(case),
            other => unreachable!("unknown kind {other}"),
        }
    }
    println!("sobol_rng: {} cases", cases(&vectors).len());
}

fn check_sobol(case: &Value) {
    let int = |name: &str| case[name].as_u64().unwrap() as usize;
    let sobol = Sobol::new(int("dim")).unwrap();
    let expected = case["expected"]["points_u32"].as_array().unwrap();
    let mut column = vec![0; int("n")];
    for dimension in 0..sobol.dimension() {
        sobol.fill(dimension, int("first_index") as u32, &mut column);
        for (got, row) in column.iter().zip(expected) {
            assert_eq!(u64::from(*got), row[dimension].as_u64().unwrap(), "{} {dimension}", case["id"]);
        }
    }
}

fn check_philox(case: &Value) {
    let words = |value: &Value| -> Vec<u64> {
        value.as_array().unwrap().iter().map(|w| w.as_str().unwrap().parse().unwrap()).collect()
    };
    let philox = Philox4x64::new(words(&case["key"]).try_into().unwrap());
    let counter: [u64; 4] = words(&case["counter_before_increment"]).try_into().unwrap();
    let at = |step: u64| philox.block([counter[0] + step, counter[1], counter[2], counter[3]]);
    assert_eq!([at(1), at(2)].concat(), words(&case["expected"]["u64"]), "{}", case["id"]);
}

fn check_known_answer(case: &Value) {
    let words = |value: &Value| -> Vec<u64> {
        value.as_array().unwrap().iter().map(|w| u64::from_str_radix(w.as_str().unwrap(), 16).unwrap()).collect()
    };
    let philox = Philox4x64::new(words(&case["key_hex"]).try_into().unwrap());
    let got = philox.block(words(&case["counter_hex"]).try_into().unwrap());
    assert_eq!(got.to_vec(), words(&case["expected"]["u64_hex"]), "{}", case["id"]);
}

/// Appends bit fields, most significant bit first.
#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    place: usize,
}

impl BitWriter {
    fn write(&mut self, value: u64, width: usize) {
        assert!(value < 1 << width, "{value} has more than {width} bits");
        for bit in (0..width).rev() {
            if self.place.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= ((value >> bit & 1) as u8) << (7 - self.place % 8);
            self.place += 1;
        }
    }
}

#[test]
fn packed_direction_numbers_are_the_published_ones() {
    let source = folder().join("joe_kuo_d6.csv.gz");
    let Ok(file) = std::fs::File::open(&source) else {
        println!("joe_kuo_d6: left out, {} is absent", source.display());
        return;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let mut writer = BitWriter::default();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let degree: usize = fields[1].parse().unwrap();
        writer.write(degree as u64, 5);
        writer.write(fields[2].parse().unwrap(), degree - 1);
        for (k, m) in fields[3].split(' ').enumerate() {
            writer.write(m.parse::<u64>().unwrap() >> 1, k);
        }
    }
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/joe_kuo_d6.bin");
    if std::env::var_os("WRITE_JOE_KUO").is_some() {
        std::fs::write(&packed, &writer.bytes).unwrap();
    }
    assert!(std::fs::read(&packed).unwrap() == writer.bytes, "{} differs", packed.display());
    println!("joe_kuo_d6: {} dimensions in {} bytes", text.lines().count(), writer.bytes.len());
}
