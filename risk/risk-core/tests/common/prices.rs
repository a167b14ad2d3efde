//! Price files of the vectors: a date, then one column a name.

use std::io::Read;

use flate2::read::GzDecoder;

/// A gzipped CSV file of numbers by date.
pub struct Prices {
    /// Names of the columns after the date.
    pub names: Vec<String>,
    /// Dates, oldest first.
    pub dates: Vec<String>,
    /// One row a date.
    pub rows: Vec<Vec<f64>>,
}

impl Prices {
    /// Reads a file named relative to the folder of the vectors.
    pub fn read(name: &str) -> Self {
        let file = std::fs::File::open(super::folder().join(name)).unwrap();
        let mut text = String::new();
        GzDecoder::new(file).read_to_string(&mut text).unwrap();
        let mut lines = text.lines();
        let names = lines.next().unwrap().split(',').skip(1).map(str::to_owned).collect();
        let (mut dates, mut rows) = (Vec::new(), Vec::new());
        for line in lines {
            let mut fields = line.split(',');
            dates.push(fields.next().unwrap().to_owned());
            rows.push(fields.map(|field| field.parse().unwrap()).collect());
        }
        Self { names, dates, rows }
    }

    /// Arithmetic returns of one column.
    pub fn returns(&self, column: usize) -> Vec<f64> {
        self.rows.windows(2).map(|pair| pair[1][column] / pair[0][column] - 1.0).collect()
    }

    /// Returns of a portfolio rebalanced to fixed weights every day.
    pub fn portfolio_returns(&self, weights: &[f64]) -> Vec<f64> {
        let day = |pair: &[Vec<f64>]| {
            weights.iter().enumerate().map(|(j, w)| w * (pair[1][j] / pair[0][j] - 1.0)).sum::<f64>()
        };
        self.rows.windows(2).map(day).collect()
    }
}
