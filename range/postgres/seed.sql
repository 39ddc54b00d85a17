-- Rows: psql's variable `trades` says how many trades; everything else follows from it. Two trades fill one order, and a
-- position is the sum of its trades. The trades lie between 30 days ago and now, closer together the newer they are.

INSERT INTO schema_migrations (version, name) VALUES
    (1, 'accounts and markets'), (2, 'orders and trades'), (3, 'positions'), (4, 'risk limits'), (5, 'events');

INSERT INTO accounts (name, wallet, status, created_at)
SELECT format('desk-%s', lpad(n::text, 3, '0')), md5('wallet' || n),
    CASE WHEN n % 40 = 0 THEN 'suspended' ELSE 'active' END, now() - interval '400 days' + n * interval '1 day'
FROM generate_series(1, CASE WHEN :trades >= 1000000 THEN 200 ELSE 50 END) n;

INSERT INTO tokens (symbol, mint, decimals)
SELECT CASE n WHEN 1 THEN 'USDC' WHEN 2 THEN 'SOL' WHEN 3 THEN 'JUP' WHEN 4 THEN 'BONK' ELSE 'TOK' || n END,
    md5('mint' || n), 6 + n % 4
FROM generate_series(1, CASE WHEN :trades >= 1000000 THEN 101 ELSE 41 END) n;

INSERT INTO markets (symbol, base_token_id, quote_token_id, tick_size)
SELECT symbol || '/USDC', id, 1, 0.000001 FROM tokens WHERE id > 1 ORDER BY id;

INSERT INTO strategies (name, enabled, max_leverage) VALUES
    ('arbitrage', true, 3), ('market-making', true, 2), ('momentum', true, 5), ('mean-reversion', true, 2),
    ('liquidation', false, 10);

INSERT INTO risk_limits (account_id, max_position_size, max_daily_loss)
SELECT id, 0.01 + (id % 5) * 0.01, 1000 * (1 + id % 10) FROM accounts;

INSERT INTO orders (id, reference, account_id, market_id, strategy_id, side, kind, quantity, limit_price, status, created_at)
SELECT n, 1000000 + n,
    1 + (n * 7919 % sizes.accounts), 1 + (n / sizes.accounts * 7919 + n) % sizes.markets, 1 + n % 4,
    CASE WHEN n * 31 % 100 < 52 THEN 'buy' ELSE 'sell' END,
    CASE WHEN n % 10 = 0 THEN 'market' ELSE 'limit' END,
    2 * (1 + n * 37 % 900) / 1000.0,
    CASE WHEN n % 10 = 0 THEN NULL ELSE 20 + (n / sizes.accounts * 7919 + n) % sizes.markets + (n % 1000) / 1000.0 END,
    'filled',
    now() - interval '30 days' * power(1 - (2 * n - 1)::float8 / :trades, 2) - interval '400 milliseconds'
FROM generate_series(1::bigint, (:trades + 1) / 2) n,
    (SELECT (SELECT count(*) FROM accounts) AS accounts, (SELECT count(*) FROM markets) AS markets) sizes;

INSERT INTO trades (id, order_id, account_id, market_id, side, quantity, price, fee, signature, created_at)
SELECT n, o.id, o.account_id, o.market_id, o.side, o.quantity / 2,
    coalesce(o.limit_price, 20 + o.market_id) * (1 - (n % 7) / 10000.0), o.quantity * 0.0005,
    md5(n::text) || md5((-n)::text),
    now() - interval '30 days' * power(1 - n::float8 / :trades, 2)
FROM generate_series(1::bigint, :trades) n JOIN orders o ON o.id = (n + 1) / 2
ORDER BY n;

INSERT INTO portfolio_positions (account_id, market_id, quantity, average_price, last_trade_id, updated_at)
SELECT account_id, market_id, sum(CASE side WHEN 'buy' THEN quantity ELSE -quantity END), avg(price), max(id), max(created_at)
FROM trades GROUP BY account_id, market_id ORDER BY account_id, market_id;

INSERT INTO balances (account_id, token_id, amount)
SELECT a.id, t.id, (a.id * 7919 + t.id * 104729) % 1000000 / 10.0 FROM accounts a, tokens t;

INSERT INTO trading_events (kind, detail, at)
SELECT CASE n % 4 WHEN 0 THEN 'started' WHEN 1 THEN 'rebalanced' WHEN 2 THEN 'risk-checked' ELSE 'reconciled' END,
    jsonb_build_object('n', n), now() - interval '30 days' + n * interval '30 days' / (:trades / 100 + 1)
FROM generate_series(1, :trades / 100) n;

SELECT setval(pg_get_serial_sequence('orders', 'id'), (SELECT max(id) FROM orders)),
    setval('order_reference_seq', (SELECT max(reference) FROM orders)),
    setval(pg_get_serial_sequence('trades', 'id'), (SELECT max(id) FROM trades));
