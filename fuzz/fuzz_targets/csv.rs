//! Any texts as cells: a reader of CSV gets the row back, and no cell begins as a formula.

#![no_main]

use jobdeck::bench_api::{Sheet, is_harmless};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|cells: Vec<String>| {
    if cells.is_empty() {
        return;
    }
    let mut written = Vec::new();
    let mut sheet = Sheet::with_header(&mut written, &["a"]).expect("memory takes everything");
    sheet.add(&cells).expect("memory takes everything");
    sheet.finish().expect("memory takes everything");
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(&written[..]);
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("CSV")).collect();
    assert_eq!(rows.len(), 1, "{written:?}");
    assert_eq!(rows[0].len(), cells.len());
    for cell in &rows[0] {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
        assert!(cell.chars().all(|c| matches!(c, '\n' | '\t' | '\r') || is_harmless(c)), "{cell:?}");
    }
});
