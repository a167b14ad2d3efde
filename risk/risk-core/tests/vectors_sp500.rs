//! `sp500_var_backtest.json` and `realdata_backtest.json`: VaR of 20 US stocks, 1990 to 2022, forecast day by day.
#![allow(clippy::unwrap_used)]

mod common;

use common::prices::Prices;
use common::{all_close, cases, close, f, load, vec_f};
use risk_core::backtest::{
    Exceptions, ForecastMethod, TrafficLight, Transitions, Zone, acerbi_szekely, christoffersen, exceptions, kupiec,
    rolling_forecast, traffic_light,
};
use risk_core::covariance::{Centering, ewma_covariance, ledoit_wolf, sample_covariance};
use risk_core::matrix::{Matrix, MatrixRef, dot};
use risk_core::progress::Progress;
use risk_core::quantile::{QuantileRule, VarEs};
use risk_core::special::norm_ppf;
use risk_core::units::{Confidence, Decay};
use risk_core::volatility::{Garch11, VolatilityModel};
use serde_json::Value;

/// One real-data case: portfolio returns and the days that are forecast.
struct Backtest {
    returns: Vec<f64>,
    /// Day of each return.
    dates: Vec<String>,
    window: usize,
    lambda: Decay,
    garch: Option<Garch11>,
    p: f64,
}

impl Backtest {
    fn method(&self, name: &str) -> ForecastMethod {
        match name {
            "hs" | "historical" => ForecastMethod::Historical(QuantileRule::InvertedCdf),
            "hs_upper" => ForecastMethod::Historical(QuantileRule::Upper),
            "hs_linear7" => ForecastMethod::Historical(QuantileRule::Linear7),
            "ewma" => ForecastMethod::Normal(self.lambda),
            "fhs_ewma" => ForecastMethod::Filtered(VolatilityModel::Ewma(self.lambda)),
            "fhs_garch" => ForecastMethod::Filtered(VolatilityModel::Garch11(self.garch.unwrap())),
            other => unreachable!("unknown method {other}"),
        }
    }

    fn forecast(&self, name: &str, bp: u32) -> Vec<VarEs> {
        let confidence = Confidence::from_bp("vectors", bp).unwrap();
        rolling_forecast(&self.returns, self.window, confidence, self.method(name), &Progress::new()).unwrap()
    }

    fn realised(&self) -> &[f64] {
        &self.returns[self.window..]
    }

    fn days(&self) -> &[String] {
        &self.dates[self.window..]
    }
}

fn vars(forecasts: &[VarEs]) -> Vec<f64> {
    forecasts.iter().map(|forecast| forecast.var).collect()
}

fn year(date: &str) -> u64 {
    date[..4].parse().unwrap()
}

fn zone_name(light: TrafficLight) -> &'static str {
    match light.zone {
        Zone::Green => "green",
        Zone::Yellow => "yellow",
        Zone::Red => "red",
    }
}

/// Counts, dates, likelihood ratios, VaR sums and yearly zones of one method.
fn check_method(vectors: &Value, name: &str, expected: &Value, case: &Backtest) {
    let var = vars(&case.forecast(name, 9_900));
    let hits = exceptions(case.realised(), &var).unwrap();
    let counted = Exceptions::count(&hits);
    let transitions = Transitions::count(&hits);
    let Transitions { n00, n01, n10, n11 } = transitions;
    for (field, got) in
        [("T", counted.days), ("exceptions", counted.count), ("n00", n00), ("n01", n01), ("n10", n10), ("n11", n11)]
    {
        assert_eq!(got, expected[field].as_u64().unwrap(), "{name} {field}");
    }
    let (lr, series) = (f(&vectors["tol"]["lr"]["rel"]), f(&vectors["tol"]["series"]["rel"]));
    let uc = kupiec(counted, case.p).unwrap();
    let cc = christoffersen(counted, transitions, case.p).unwrap();
    let mut numbers = vec![("lr_uc", uc.lr_uc, lr), ("lr_ind", cc.lr_ind, lr), ("lr_cc", cc.lr_cc, lr)];
    numbers.extend([("p_uc", uc.p_uc, 1e-7), ("p_ind", cc.p_ind, 1e-7), ("p_cc", cc.p_cc, 1e-7)]);
    numbers.extend([("var_first", var[0], series), ("var_last", var[var.len() - 1], series)]);
    numbers.push(("var_max", var.iter().copied().fold(f64::MIN, f64::max), series));
    numbers.push(("var_min", var.iter().copied().fold(f64::MAX, f64::min), series));
    let sum: f64 = var.iter().sum();
    numbers.extend([("var_sum", sum, 1e-10), ("mean_var", sum / var.len() as f64, 1e-10)]);
    numbers.push(("binom_p_exact_ge", uc.p_at_least, 1e-7));
    for (field, got, rel) in numbers.into_iter().filter(|(field, ..)| expected[*field].is_number()) {
        close(&format!("{name} {field}"), got, f(&expected[field]), rel, 0.0);
    }
    check_dates(name, expected, case.days(), &hits);
    check_years(name, expected, case.days(), &hits, case.p);
    check_year_ends(name, expected, case.days(), &hits, case.p);
}

fn check_dates(name: &str, expected: &Value, days: &[String], hits: &[bool]) {
    let dates: Vec<&String> = days.iter().zip(hits).filter(|(_, hit)| **hit).map(|(date, _)| date).collect();
    if let Some(all) = expected["exception_rows"].as_array() {
        assert_eq!(dates.len(), all.len());
    }
    for field in ["exception_rows", "exception_dates_first10"] {
        for (got, expected) in dates.iter().zip(expected[field].as_array().into_iter().flatten()) {
            assert_eq!(got.as_str(), expected.as_str().unwrap(), "{name}");
        }
    }
}

fn check_years(name: &str, expected: &Value, days: &[String], hits: &[bool], p: f64) {
    let rows = expected["years"].as_array().or(expected["periods"].as_array()).unwrap();
    for row in rows {
        let wanted = row["year"].as_u64().unwrap();
        let of_year: Vec<bool> =
            days.iter().zip(hits).filter(|(date, _)| year(date) == wanted).map(|(_, hit)| *hit).collect();
        let counted = Exceptions::count(&of_year);
        assert_eq!((counted.days, counted.count), (row["days"].as_u64().unwrap(), row["exceptions"].as_u64().unwrap()));
        let light = traffic_light(counted, p).unwrap();
        close(&format!("{name} {wanted}"), light.cum_prob, f(&row["cum_prob"]), 1e-10, 0.0);
        assert_eq!(zone_name(light), row["zone"].as_str().unwrap(), "{name} {wanted}");
    }
}

fn check_year_ends(name: &str, expected: &Value, days: &[String], hits: &[bool], p: f64) {
    for row in expected["basel_250_at_year_end"].as_array().into_iter().flatten() {
        let wanted = row["year"].as_u64().unwrap();
        let end = days.iter().rposition(|date| year(date) == wanted).unwrap() + 1;
        let counted = Exceptions::count(&hits[end - 250..end]);
        assert_eq!(counted.count, row["exceptions_250"].as_u64().unwrap(), "{name} {wanted}");
        assert_eq!(zone_name(traffic_light(counted, p).unwrap()), row["zone"].as_str().unwrap(), "{name} {wanted}");
    }
}

#[test]
fn sp500_var_backtest() {
    let Some(vectors) = load("sp500_var_backtest") else { return };
    let case = &cases(&vectors)[0];
    let (inputs, expected) = (&case["inputs"], &case["expected"]);
    let prices = Prices::read(inputs["data"].as_str().unwrap());
    let columns: Vec<&str> = inputs["columns"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
    assert_eq!(prices.names, columns);
    let backtest = Backtest {
        returns: prices.portfolio_returns(&vec_f(&inputs["weights"])),
        dates: prices.dates[1..].to_vec(),
        window: inputs["window"].as_u64().unwrap() as usize,
        lambda: Decay::new("vectors", f(&inputs["lambda"])).unwrap(),
        garch: None,
        p: 0.01,
    };
    assert_eq!(backtest.returns.len() as u64, expected["n_returns"].as_u64().unwrap());
    assert_eq!(backtest.days()[0], inputs["first_forecast"].as_str().unwrap());
    close("first return", backtest.returns[0], f(&expected["portfolio_return_first"]), 1e-9, 0.0);
    let methods = expected["methods"].as_object().unwrap();
    for (name, expected) in methods {
        check_method(&vectors, name, expected, &backtest);
    }
    println!("sp500_var_backtest: {} methods of {} days", methods.len(), backtest.days().len());
}

#[test]
fn realdata_backtest() {
    let Some(vectors) = load("realdata_backtest") else { return };
    let case = &cases(&vectors)[0];
    let (inputs, expected) = (&case["inputs"], &case["expected"]);
    let prices = Prices::read("prices_sp500_20.csv.gz");
    let weights: Vec<f64> = prices.names.iter().map(|name| f(&inputs["weights"][name])).collect();
    let number = |name: &str| f(&inputs["garch"][name]);
    let backtest = Backtest {
        returns: prices.portfolio_returns(&weights),
        dates: prices.dates[1..].to_vec(),
        window: inputs["window"].as_u64().unwrap() as usize,
        lambda: Decay::new("vectors", f(&inputs["lambda"])).unwrap(),
        garch: Some(Garch11::new(number("omega"), number("alpha"), number("beta")).unwrap()),
        p: 0.01,
    };
    assert_eq!(backtest.dates[0], inputs["first_return"].as_str().unwrap());
    assert_eq!(backtest.days()[0], inputs["first_forecast"].as_str().unwrap());
    assert_eq!(backtest.days().len() as u64, expected["n_forecasts"].as_u64().unwrap());
    let methods = expected["methods"].as_object().unwrap();
    for (name, expected) in methods {
        check_method(&vectors, name, expected, &backtest);
    }
    check_series(&vectors, case["id"].as_str().unwrap(), &backtest);
    check_es(&expected["es_backtest"], &backtest);
    check_last_day(&expected["last_day"], &prices, &weights, &backtest);
    println!("realdata_backtest: {} methods of {} days", methods.len(), backtest.days().len());
}

/// Every forecast of every method against the series file.
fn check_series(vectors: &Value, id: &str, backtest: &Backtest) {
    let rel = f(&vectors["tol"]["series"]["rel"]);
    let series = Prices::read(&format!("series_{id}.csv.gz"));
    assert_eq!(series.dates, backtest.days());
    for (j, name) in series.names.iter().enumerate() {
        let got: Vec<f64> = match name.as_str() {
            "ret" => backtest.realised().to_vec(),
            name => match name.strip_prefix("es_") {
                Some(method) => backtest.forecast(method, 9_750).iter().map(|forecast| forecast.es).collect(),
                None => vars(&backtest.forecast(name, 9_900)),
            },
        };
        let expected: Vec<f64> = series.rows.iter().map(|row| row[j]).collect();
        // The file has twelve significant digits.
        all_close(name, &got, &expected, rel, 1e-14);
    }
}

fn check_es(expected: &Value, backtest: &Backtest) {
    for name in ["hs", "fhs_ewma"] {
        let forecasts = backtest.forecast(name, 9_750);
        let es: Vec<f64> = forecasts.iter().map(|forecast| forecast.es).collect();
        let got = acerbi_szekely(backtest.realised(), &vars(&forecasts), &es, 0.025).unwrap();
        assert_eq!(got.exceptions, expected[name]["exceptions"].as_u64().unwrap());
        close("Z2", got.z2, f(&expected[name]["Z2"]), 1e-9, 1e-12);
        close("Z1", got.z1.unwrap(), f(&expected[name]["Z1"]), 1e-9, 1e-12);
    }
}

fn check_last_day(expected: &Value, prices: &Prices, weights: &[f64], backtest: &Backtest) {
    let columns: Vec<Vec<f64>> = (0..weights.len()).map(|j| prices.returns(j)).collect();
    let (rows, cols) = (backtest.returns.len(), weights.len());
    let all = Matrix::from_fn(rows, cols, |i, j| columns[j][i]);
    let sigma = |cov: MatrixRef<'_>| dot(weights, &cov.mul_vec(weights)).sqrt();
    let trace = |cov: MatrixRef<'_>| cov.diagonal().iter().sum::<f64>();
    let check = |name: &str, got: f64, expected: &Value| close(name, got, f(expected), 1e-9, 0.0);

    let ewma = ewma_covariance(all.as_ref(), backtest.lambda, &Progress::new()).unwrap();
    let (sigma_p, z) = (sigma(ewma.as_ref()), -norm_ppf(backtest.p));
    check("ewma_cov_trace", trace(ewma.as_ref()), &expected["ewma_cov_trace"]);
    check("sigma_p", sigma_p, &expected["sigma_p"]);
    check("var_alpha", z * sigma_p, &expected["var_alpha"]);
    let g = ewma.as_ref().mul_vec(weights);
    let components: Vec<f64> = weights.iter().zip(&g).map(|(w, g)| z * w * g / sigma_p).collect();
    all_close("component_var", &components, &vec_f(&expected["component_var"]), 1e-9, 0.0);
    let path = VolatilityModel::Ewma(backtest.lambda).variance(&backtest.returns).unwrap();
    check("portfolio sigma", path.next_variance.sqrt(), &expected["sigma_from_portfolio_series"]);

    let last = Matrix::from_fn(backtest.window, cols, |i, j| columns[j][rows - backtest.window + i]);
    let shrunk = ledoit_wolf(last.as_ref(), Centering::Sample, &Progress::new()).unwrap();
    let wanted = &expected["ledoit_wolf_last_window"];
    check("shrinkage", shrunk.shrinkage, &wanted["shrinkage"]);
    check("shrunk sigma", sigma(shrunk.covariance.as_ref()), &wanted["sigma_p"]);
    check("shrunk trace", trace(shrunk.covariance.as_ref()), &wanted["trace"]);
    let sample = sample_covariance(last.as_ref(), &Progress::new()).unwrap();
    check("sample sigma", sigma(sample.as_ref()), &expected["sample_last_window_sigma_p"]);
}
