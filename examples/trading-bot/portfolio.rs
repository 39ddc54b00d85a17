//! What the runbook asks of the portfolio: questions to the database, answered as JSON.

/// Positions at a glance.
pub const STATUS: &str = "
SELECT json_build_object(
    'positions', count(*),
    'open_positions', count(*) FILTER (WHERE quantity <> 0),
    'accounts', count(DISTINCT account_id),
    'exposure', coalesce(round(sum(abs(quantity) * average_price), 2), 0),
    'trades', (SELECT count(*) FROM trades),
    'latest_trade', (SELECT max(created_at) FROM trades)
)::text FROM portfolio_positions";

/// Every position against the sum of its trades.
pub const RECONCILE: &str = "
WITH summed AS (
    SELECT account_id, market_id, sum(CASE side WHEN 'buy' THEN quantity ELSE -quantity END) AS quantity
    FROM trades GROUP BY account_id, market_id
), compared AS (
    SELECT account_id, market_id, p.quantity AS position, s.quantity AS trades,
        p.quantity IS DISTINCT FROM s.quantity AS differs
    FROM portfolio_positions p FULL JOIN summed s USING (account_id, market_id)
)
SELECT json_build_object(
    'consistent', count(*) FILTER (WHERE differs) = 0,
    'positions_checked', count(*),
    'differences', count(*) FILTER (WHERE differs),
    'examples', (SELECT coalesce(json_agg(e), '[]') FROM (
        SELECT account_id, market_id, position, trades FROM compared WHERE differs
        ORDER BY account_id, market_id LIMIT 5) e)
)::text FROM compared";

/// What refers to what: nothing may be missing.
pub const VERIFY: &str = "
SELECT json_build_object(
    'verified', positions + trades = 0,
    'positions_without_trade', positions,
    'trades_without_order', trades
)::text FROM (SELECT
    (SELECT count(*) FROM portfolio_positions p WHERE NOT EXISTS (SELECT FROM trades t WHERE t.id = p.last_trade_id)) AS positions,
    (SELECT count(*) FROM trades t WHERE NOT EXISTS (SELECT FROM orders o WHERE o.id = t.order_id)) AS trades) found";

/// The limits that accounts are bound by.
pub const RISK: &str = "
SELECT json_build_object(
    'accounts_with_limits', count(*),
    'lowest_max_position_size', min(max_position_size),
    'highest_max_position_size', max(max_position_size),
    'max_daily_loss', sum(max_daily_loss)
)::text FROM risk_limits";

/// Fails when the tables that trading needs cannot be read.
pub const ALIVE: &str = "
SELECT (SELECT max(created_at) FROM trades), (SELECT count(*) FROM accounts), (SELECT max(id) FROM portfolio_positions)";
