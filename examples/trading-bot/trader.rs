//! Trades: one every 100 ms while trading is on.

use std::{sync::Arc, time::Duration};

use drbot::clock::{Clock, Timestamp};
use sqlx::{Connection, PgConnection, Row};

use crate::{
    database::{Database, SHORT},
    desk::Desk,
    settings::Defect,
};

const EVERY: Duration = Duration::from_millis(100);
/// While trading is halted: keeps a session open, as a trading system does.
const PING_EVERY: Duration = Duration::from_millis(500);
const RECONNECT_EVERY: Duration = Duration::from_millis(250);

/// An order, the trade that fills it and the position that results, at once or not at all. It expires: a database that
/// was frozen meanwhile does not write a trade that nobody waits for, maybe after a halt.
const TRADE: &str = "
WITH chosen AS (
    SELECT
        (SELECT id FROM accounts WHERE status = 'active' ORDER BY random() LIMIT 1) AS account_id,
        (SELECT id FROM markets ORDER BY random() LIMIT 1) AS market_id,
        (SELECT id FROM strategies WHERE enabled ORDER BY random() LIMIT 1) AS strategy_id,
        CASE WHEN random() < 0.52 THEN 'buy' ELSE 'sell' END AS side,
        round((1 + random() * 49)::numeric * $1::float8::numeric, 9) AS quantity,
        round((20 + random() * 40)::numeric, 9) AS price
    WHERE clock_timestamp() < to_timestamp($2::bigint / 1e6)
), placed AS (
    INSERT INTO orders (account_id, market_id, strategy_id, side, kind, quantity, limit_price, status)
    SELECT account_id, market_id, strategy_id, side, 'limit', quantity, price, 'filled' FROM chosen
    RETURNING id, account_id, market_id, side, quantity, limit_price
), traded AS (
    INSERT INTO trades (order_id, account_id, market_id, side, quantity, price, fee, signature)
    SELECT id, account_id, market_id, side, quantity, limit_price, quantity * 0.0005,
        replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '')
    FROM placed
    RETURNING id, account_id, market_id, side, quantity, price, created_at
), positioned AS (
    INSERT INTO portfolio_positions AS position (account_id, market_id, quantity, average_price, last_trade_id)
    SELECT account_id, market_id, CASE side WHEN 'buy' THEN quantity ELSE -quantity END, price, id FROM traded
    ON CONFLICT (account_id, market_id) DO UPDATE SET
        quantity = position.quantity + excluded.quantity,
        last_trade_id = excluded.last_trade_id,
        updated_at = now()
)
SELECT (extract(epoch FROM created_at) * 1000000)::bigint FROM traded";

/// What a version for a newer schema would write.
const NEWER: &str = "INSERT INTO trades (order_id, venue_fee) SELECT $2::bigint, $1::float8";

/// Memory that is never given back, up to a limit that a small machine bears.
#[derive(Default)]
struct Leak(Vec<Vec<u8>>);

impl Leak {
    const PIECE: usize = 256 * 1024;
    const MOST: usize = 800;

    fn grow(&mut self) {
        // Written to, so that it is really there.
        if self.0.len() < Self::MOST {
            self.0.push(vec![1; Self::PIECE]);
        } else {
            self.0.rotate_left(1);
        }
    }
}

pub async fn trade(desk: Arc<Desk>, database: Arc<Database>, clock: Clock, defect: Option<Defect>) {
    let mut leak = Leak::default();
    let mut connection: Option<PgConnection> = None;
    let mut troubled = false;
    loop {
        let begin = clock.monotonic();
        let mut every = if desk.state().active { EVERY } else { PING_EVERY };
        if defect == Some(Defect::Leaks) {
            leak.grow();
            if desk.state().active && leak.0.len().is_multiple_of(2) {
                desk.failed("the order book is torn".into());
                tracing::error!("panic in the matcher: the order book is torn (order {})", leak.0.len());
                clock.sleep(EVERY).await;
                continue;
            }
        }
        let sql = if defect == Some(Defect::Schema) { NEWER } else { TRADE };
        match turn(&desk, &database, &clock, &mut connection, sql).await {
            Ok(()) => {
                if troubled {
                    tracing::info!("the database is back");
                }
                troubled = false;
            }
            Err(error) => {
                // Once per trouble, and then now and then: not ten lines a second.
                if !troubled || desk.counts().errors_in_a_row.is_multiple_of(40) {
                    tracing::error!("database: {error}");
                }
                troubled = true;
                connection = None;
                every = RECONNECT_EVERY;
            }
        }
        clock.sleep(every.saturating_sub(clock.monotonic() - begin)).await;
    }
}

/// One trade when trading is on, else a sign of life.
async fn turn(
    desk: &Desk,
    database: &Database,
    clock: &Clock,
    connection: &mut Option<PgConnection>,
    sql: &'static str,
) -> Result<(), String> {
    let connection = match connection {
        Some(connection) => connection,
        None => match database.connect(SHORT).await {
            Ok(fresh) => connection.insert(fresh),
            Err(error) => {
                if desk.state().active {
                    desk.failed(error.clone());
                }
                return Err(error);
            }
        },
    };
    let Some(_passage) = desk.pass().await else {
        return match clock.timeout(SHORT, connection.ping()).await {
            Some(answer) => answer.map_err(|error| error.to_string()),
            None => Err("no answer to a ping".into()),
        };
    };
    let insert = sqlx::query(sql)
        .bind(desk.state().max_position_size)
        .bind((clock.now() + SHORT).timestamp_micros())
        .fetch_optional(connection);
    let inserted = match clock.timeout(SHORT, insert).await {
        Some(Ok(Some(row))) => row.try_get(0).map(Timestamp::from_timestamp_micros).map_err(|error| error.to_string()),
        Some(Ok(None)) => Err("the trade expired on its way".into()),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("no answer to a trade".into()),
    };
    match inserted {
        Ok(at) => {
            desk.traded(at.unwrap_or_else(|| clock.now()));
            Ok(())
        }
        Err(error) => {
            desk.failed(error.clone());
            Err(error)
        }
    }
}
