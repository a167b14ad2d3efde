//! `CalculateMargin`: accounts of shares in exact money, scans, floors against procyclicality.

use risk_core::margin::{
    self, Attos, Contract, ScanParameters, ScanPosition, SharePosition, buffered_margin, scan_margin,
    stress_weighted_margin,
};
use risk_core::pricing::Black76;
use risk_core::{Result, RiskError};

use super::model::not_set;
use super::portfolio::option_kind;
use crate::proto::calculate_margin_request::Rule;
use crate::proto::calculate_margin_response::Margin;
use crate::proto::{
    AccountMargin, CalculateMarginRequest, CalculateMarginResponse, Decimal, MarginFloors, MarginLevels, Money,
    ScanBook, ScanMargin, ShareAccount, ShareHolding,
};

const NAME: &str = "calculate_margin";
const ATTOS_A_UNIT: i128 = 1_000_000_000_000_000_000;
const MAX_SCALE: u32 = 18;
/// Most positions of a request; a scan prices each option seventeen times.
const MAX_POSITIONS: usize = 1_000_000;

/// Answers a request, or says what is wrong with it.
pub(crate) fn calculate_margin(request: &CalculateMarginRequest) -> Result<CalculateMarginResponse> {
    let margin = match request.rule.as_ref().ok_or_else(|| not_set(NAME, "rule"))? {
        Rule::Account(sent) => Margin::Account(account(sent)?),
        Rule::Scan(sent) => Margin::Scan(scan(sent)?),
        Rule::Levels(sent) => Margin::Floors(floors(sent)?),
    };
    Ok(CalculateMarginResponse { margin: Some(margin) })
}

fn account(sent: &ShareAccount) -> Result<AccountMargin> {
    let cash = sent.cash.as_ref().ok_or_else(|| not_set(NAME, "cash"))?;
    require_count("holdings", sent.holdings.len())?;
    let shares: Vec<SharePosition> = numbered("holding", &sent.holdings, share)?;
    let found = margin::account_margin(attos(cash)?, &shares)?;
    let money = |amount| money(&cash.currency, amount);
    Ok(AccountMargin {
        long_value: Some(money(found.long_mv)?),
        short_value: Some(money(found.short_mv)?),
        equity: Some(money(found.equity)?),
        initial: Some(money(found.initial)?),
        maintenance: Some(money(found.maintenance)?),
        excess_initial: Some(money(found.excess_initial)?),
        excess_maintenance: Some(money(found.excess_maintenance)?),
        margin_call: Some(money(found.margin_call)?),
    })
}

/// All of them; an error says of which, from 0.
fn numbered<S, T>(what: &str, sent: &[S], read: impl Fn(&S) -> Result<T>) -> Result<Vec<T>> {
    let one = |(i, sent): (usize, &S)| read(sent).map_err(|error| error.of(format_args!("{what} {i}")));
    sent.iter().enumerate().map(one).collect()
}

fn share(sent: &ShareHolding) -> Result<SharePosition> {
    let (qty, qty_scale) = decimal("qty", sent.qty.as_ref())?;
    let (price, price_scale) = decimal("price", sent.price.as_ref())?;
    Ok(SharePosition { qty, price, qty_scale, price_scale })
}

fn decimal(what: &'static str, sent: Option<&Decimal>) -> Result<(i64, u8)> {
    let sent = sent.ok_or_else(|| not_set(NAME, what))?;
    match u8::try_from(sent.scale) {
        Ok(scale) if sent.scale <= MAX_SCALE => Ok((sent.mantissa, scale)),
        _ => Err(RiskError::invalid(NAME, format!("scale of {what}"), "must be at most 18", sent.scale)),
    }
}

fn attos(sent: &Money) -> Result<Attos> {
    let (units, attos) = (i128::from(sent.units), i128::from(sent.attos));
    let agree = units.signum() * attos.signum() >= 0;
    if attos.abs() >= ATTOS_A_UNIT || !agree {
        let why = "must be less than a unit and of its sign";
        return Err(RiskError::invalid(NAME, "attos of cash", why, format!("{units} and {attos}")));
    }
    Ok(units * ATTOS_A_UNIT + attos)
}

fn money(currency: &str, amount: Attos) -> Result<Money> {
    let (units, attos) = (amount / ATTOS_A_UNIT, amount % ATTOS_A_UNIT);
    match (i64::try_from(units), i64::try_from(attos)) {
        (Ok(units), Ok(attos)) => Ok(Money { currency: currency.to_owned(), units, attos }),
        _ => Err(RiskError::invalid(NAME, "margin", "must fit 64 bits of whole units", units)),
    }
}

fn scan(sent: &ScanBook) -> Result<ScanMargin> {
    require_count("positions", sent.positions.len())?;
    let book: Vec<ScanPosition> = numbered("position", &sent.positions, scan_position)?;
    let parameters = ScanParameters {
        price_scan_range: sent.price_scan_range,
        vol_scan_range: sent.volatility_scan_range,
        extreme_multiple: sent.extreme_multiple,
        extreme_cover: sent.extreme_cover,
        short_option_minimum: sent.short_option_minimum,
    };
    let found = scan_margin(&book, &parameters)?;
    Ok(ScanMargin {
        risk_array: found.risk_array.to_vec(),
        scan_risk: found.scan_risk,
        worst_scenario: found.worst_scenario.into(),
        short_option_minimum: found.short_option_minimum,
        net_option_value: found.net_option_value,
        requirement: found.requirement,
    })
}

fn scan_position(sent: &crate::proto::ScanPosition) -> Result<ScanPosition> {
    let contract = match &sent.option {
        None => Contract::Future,
        Some(option) => Contract::Option(Black76 {
            kind: option_kind(NAME, option.option_type)?,
            forward: option.forward,
            strike: option.strike,
            years: option.years,
            rate: option.rate,
            vol: option.volatility,
        }),
    };
    Ok(ScanPosition { qty: sent.qty, multiplier: sent.multiplier, contract })
}

fn floors(sent: &MarginLevels) -> Result<MarginFloors> {
    Ok(MarginFloors {
        stress_weighted: stress_weighted_margin(sent.current, sent.stressed)?,
        buffered: buffered_margin(sent.current)?,
    })
}

fn require_count(what: &'static str, count: usize) -> Result<()> {
    if count <= MAX_POSITIONS {
        return Ok(());
    }
    Err(RiskError::invalid(NAME, what, format!("must be at most {MAX_POSITIONS}"), count))
}
