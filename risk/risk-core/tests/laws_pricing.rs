//! Laws of option prices: parity, Greeks against finite differences, bounds, and no answer that is no number.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use risk_core::pricing::{
    Bachelier, Black76, Bsm, BsmColumns, Exercise, Greeks, OptionKind, TreeOption, UndiscountedOption, Valuation,
    bachelier, black76, bsm, bsm_batch, implied_vol, leisen_reimer,
};
use risk_core::progress::Progress;

fn kind() -> impl Strategy<Value = OptionKind> {
    prop_oneof![Just(OptionKind::Call), Just(OptionKind::Put)]
}

prop_compose! {
    fn option()(kind in kind(), spot in 50.0..150.0, strike in 50.0..150.0, years in 0.05..3.0,
                rate in -0.05..0.15, dividend_yield in -0.02..0.1, vol in 0.1..0.8) -> Bsm {
        Bsm { kind, spot, strike, years, rate, dividend_yield, vol }
    }
}

fn near(label: &str, got: f64, expected: f64, tol: f64) -> Result<(), TestCaseError> {
    prop_assert!((got - expected).abs() <= tol, "{label}: got {got:e}, expected {expected:e}");
    Ok(())
}

/// Any double, the hostile ones often.
fn hostile() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(0.0),
        Just(f64::MIN_POSITIVE),
        Just(f64::MAX),
        -2.0..200.0,
    ]
}

fn is_finite(value: &Valuation) -> bool {
    let Greeks { delta, gamma, vega, theta, rho, rho_q, vanna, volga } = value.greeks;
    [value.price, delta, gamma, vega, theta, rho, rho_q, vanna, volga].iter().all(|x| x.is_finite())
}

proptest! {
    #[test]
    fn put_call_parity(option in option()) {
        let call = bsm(&Bsm { kind: OptionKind::Call, ..option }).unwrap();
        let put = bsm(&Bsm { kind: OptionKind::Put, ..option }).unwrap();
        let forward_leg = option.spot * (-option.dividend_yield * option.years).exp();
        let strike_leg = option.strike * (-option.rate * option.years).exp();
        near("parity", call.price - put.price, forward_leg - strike_leg, 1e-12 * (forward_leg + strike_leg))?;
        near("gamma", call.greeks.gamma, put.greeks.gamma, 1e-14)?;
    }

    #[test]
    fn greeks_are_the_derivatives(option in option()) {
        let price = |change: &dyn Fn(&mut Bsm)| { let mut o = option; change(&mut o); bsm(&o).unwrap() };
        let h = 1e-5;
        let slope = |change: &dyn Fn(&mut Bsm, f64), of: &dyn Fn(Valuation) -> f64| {
            (of(price(&|o| change(o, h))) - of(price(&|o| change(o, -h)))) / (2.0 * h)
        };
        let got = bsm(&option).unwrap().greeks;
        let of_price = |v: Valuation| v.price;
        near("delta", got.delta, slope(&|o, h| o.spot += h, &of_price), 1e-6)?;
        near("gamma", got.gamma, slope(&|o, h| o.spot += h, &|v| v.greeks.delta), 1e-6)?;
        near("vega", got.vega, slope(&|o, h| o.vol += h, &of_price), 1e-4)?;
        near("theta", got.theta, slope(&|o, h| o.years -= h, &of_price), 1e-4)?;
        near("rho", got.rho, slope(&|o, h| o.rate += h, &of_price), 1e-4)?;
        near("rho_q", got.rho_q, slope(&|o, h| o.dividend_yield += h, &of_price), 1e-4)?;
        near("vanna", got.vanna, slope(&|o, h| o.vol += h, &|v| v.greeks.delta), 1e-5)?;
        near("volga", got.volga, slope(&|o, h| o.vol += h, &|v| v.greeks.vega), 1e-3)?;
    }

    #[test]
    fn prices_rise_with_volatility_and_stay_in_their_bounds(option in option(), more in 0.0..0.5) {
        let low = bsm(&option).unwrap().price;
        let high = bsm(&Bsm { vol: option.vol + more, ..option }).unwrap().price;
        prop_assert!(high >= low - 1e-12);
        let spot = option.spot * (-option.dividend_yield * option.years).exp();
        let strike = option.strike * (-option.rate * option.years).exp();
        let (intrinsic, top) = match option.kind {
            OptionKind::Call => (spot - strike, spot),
            OptionKind::Put => (strike - spot, strike),
        };
        prop_assert!(low >= intrinsic.max(0.0) - 1e-12 && low <= top + 1e-12);
    }

    #[test]
    fn black76_is_bsm_on_the_forward(option in option()) {
        let forward = option.spot * ((option.rate - option.dividend_yield) * option.years).exp();
        let Bsm { kind, strike, years, rate, vol, .. } = option;
        let other = black76(&Black76 { kind, forward, strike, years, rate, vol }).unwrap();
        near("price", other.price, bsm(&option).unwrap().price, 1e-11)?;
    }

    #[test]
    fn bachelier_greeks_are_the_derivatives(kind in kind(), forward in -5.0..5.0, strike in -5.0..5.0,
                                            years in 0.1..2.0, rate in -0.05..0.1, vol in 0.5..3.0) {
        let option = Bachelier { kind, forward, strike, years, rate, vol };
        let h = 1e-5;
        let slope = |up: Bachelier, down: Bachelier| {
            (bachelier(&up).unwrap().price - bachelier(&down).unwrap().price) / (2.0 * h)
        };
        let got = bachelier(&option).unwrap().greeks;
        let at = |f: &dyn Fn(&mut Bachelier)| { let mut o = option; f(&mut o); o };
        near("delta", got.delta, slope(at(&|o| o.forward += h), at(&|o| o.forward -= h)), 1e-7)?;
        near("vega", got.vega, slope(at(&|o| o.vol += h), at(&|o| o.vol -= h)), 1e-7)?;
        near("theta", got.theta, slope(at(&|o| o.years -= h), at(&|o| o.years += h)), 1e-6)?;
        near("rho", got.rho, slope(at(&|o| o.rate += h), at(&|o| o.rate -= h)), 1e-7)?;
    }

    #[test]
    fn implied_vol_gives_the_volatility_back(option in option()) {
        let Bsm { kind, spot: forward, strike, years, vol, .. } = option;
        let model = black76(&Black76 { kind, forward, strike, years, rate: 0.0, vol }).unwrap();
        prop_assume!(model.greeks.vega > 1e-6);
        let got = implied_vol(&UndiscountedOption { kind, forward, strike, years, price: model.price }).unwrap();
        // The price was rounded: so many units of the volatility does an ulp of it carry.
        near("vol", got, vol, 1e-14 * (forward + strike) / model.greeks.vega + 1e-14)?;
    }

    #[test]
    fn an_american_option_is_worth_no_less(option in option(), half in 5_u32..60) {
        let value = |exercise| leisen_reimer(&TreeOption { option, exercise, steps: 2 * half + 1 }, &Progress::new()).unwrap();
        let (american, european) = (value(Exercise::American).price, value(Exercise::European).price);
        prop_assert!(american >= european - 1e-12);
        let payoff = match option.kind {
            OptionKind::Call => option.spot - option.strike,
            OptionKind::Put => option.strike - option.spot,
        };
        prop_assert!(american >= payoff);
    }

    #[test]
    fn a_european_tree_nears_the_formula(option in option()) {
        let tree = leisen_reimer(&TreeOption { option, exercise: Exercise::European, steps: 501 }, &Progress::new()).unwrap();
        near("price", tree.price, bsm(&option).unwrap().price, 5e-4)?;
    }

    #[test]
    fn a_batch_is_its_rows(options in prop::collection::vec(option(), 1..200), expired in 0_usize..200) {
        let mut options = options;
        if let Some(option) = options.get_mut(expired) { option.years = 0.0 }
        let column = |read: fn(&Bsm) -> f64| options.iter().map(read).collect::<Vec<f64>>();
        let kind: Vec<OptionKind> = options.iter().map(|o| o.kind).collect();
        let (spot, strike, years) = (column(|o| o.spot), column(|o| o.strike), column(|o| o.years));
        let (rate, dividend_yield, vol) = (column(|o| o.rate), column(|o| o.dividend_yield), column(|o| o.vol));
        let columns = BsmColumns { kind: &kind, spot: &spot, strike: &strike, years: &years, rate: &rate,
                                   dividend_yield: &dividend_yield, vol: &vol };
        let batch = bsm_batch(&columns).unwrap();
        for (i, option) in options.iter().enumerate() {
            let alone = bsm(option).unwrap();
            near("price", batch.price[i], alone.price, 1e-12)?;
            near("delta", batch.delta[i], alone.greeks.delta, 1e-13)?;
            near("gamma", batch.gamma[i], alone.greeks.gamma, 1e-13)?;
            near("vega", batch.vega[i], alone.greeks.vega, 1e-11)?;
            near("theta", batch.theta[i], alone.greeks.theta, 1e-11)?;
            near("rho", batch.rho[i], alone.greeks.rho, 1e-11)?;
            near("rho_q", batch.rho_q[i], alone.greeks.rho_q, 1e-11)?;
            near("vanna", batch.vanna[i], alone.greeks.vanna, 1e-11)?;
            near("volga", batch.volga[i], alone.greeks.volga, 1e-10)?;
        }
    }

    #[test]
    fn no_input_makes_a_price_that_is_no_number(kind in kind(), x in prop::array::uniform6(hostile()), half in 0_u32..40) {
        let [spot, strike, years, rate, dividend_yield, vol] = x;
        let option = Bsm { kind, spot, strike, years, rate, dividend_yield, vol };
        if let Ok(value) = bsm(&option) { prop_assert!(is_finite(&value)) }
        if let Ok(value) = black76(&Black76 { kind, forward: spot, strike, years, rate, vol }) { prop_assert!(is_finite(&value)) }
        if let Ok(value) = bachelier(&Bachelier { kind, forward: spot, strike, years, rate, vol }) { prop_assert!(is_finite(&value)) }
        if let Ok(vol) = implied_vol(&UndiscountedOption { kind, forward: spot, strike, years, price: vol }) {
            prop_assert!(vol.is_finite() && vol >= 0.0);
        }
        for exercise in [Exercise::European, Exercise::American] {
            if let Ok(value) = leisen_reimer(&TreeOption { option, exercise, steps: half }, &Progress::new()) {
                prop_assert!(value.price.is_finite() && value.price >= 0.0 && value.delta_lattice.is_finite());
            }
        }
        let columns = BsmColumns { kind: &[kind], spot: &[spot], strike: &[strike], years: &[years], rate: &[rate],
                                   dividend_yield: &[dividend_yield], vol: &[vol] };
        match (bsm_batch(&columns), bsm(&option)) {
            (Ok(batch), Ok(alone)) => near("batch", batch.price[0], alone.price, 1e-12 * (spot + strike))?,
            (Err(_), Err(_)) => {}
            (batch, alone) => prop_assert!(false, "batch {batch:?}, alone {alone:?}"),
        }
    }
}

#[test]
fn refusals_name_field_and_row() {
    let kind = [OptionKind::Call; 2];
    let one = [1.0; 2];
    let columns = BsmColumns {
        kind: &kind,
        spot: &one,
        strike: &one,
        years: &one,
        rate: &one,
        dividend_yield: &one,
        vol: &[0.2, -0.2],
    };
    let error = bsm_batch(&columns).unwrap_err();
    assert_eq!(error.to_string(), "bsm: row 1: volatility must be finite and at least 0, got -0.2");
    let error = bsm_batch(&BsmColumns { spot: &[], ..columns }).unwrap_err();
    assert_eq!(error.to_string(), "bsm_batch: spot must have 2 values to match kind, got 0");
}

#[test]
fn a_price_too_small_for_a_volatility_is_named() {
    let option =
        UndiscountedOption { kind: OptionKind::Call, forward: 100.0, strike: 150.0, years: 1.0, price: 1e-320 };
    match implied_vol(&option) {
        Ok(vol) => assert!(vol > 0.0 && vol.is_finite()),
        Err(error) => assert!(error.to_string().starts_with("implied_vol: price must lead to a volatility"), "{error}"),
    }
}
