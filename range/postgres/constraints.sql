-- What refers and what is indexed. Run after the rows are in.

CREATE UNIQUE INDEX orders_reference_key ON orders (reference);
CREATE INDEX orders_account_created_idx ON orders (account_id, created_at);
CREATE INDEX orders_open_idx ON orders (market_id) WHERE status = 'open';
CREATE UNIQUE INDEX trades_signature_key ON trades (signature);
CREATE INDEX trades_order_idx ON trades (order_id);
CREATE INDEX trades_created_idx ON trades (created_at);
CREATE INDEX trades_account_market_idx ON trades (account_id, market_id, created_at);
CREATE INDEX portfolio_positions_last_trade_idx ON portfolio_positions (last_trade_id);
CREATE INDEX trading_events_at_idx ON trading_events (at);

ALTER TABLE markets
    ADD FOREIGN KEY (base_token_id) REFERENCES tokens,
    ADD FOREIGN KEY (quote_token_id) REFERENCES tokens;
ALTER TABLE orders
    ADD FOREIGN KEY (account_id) REFERENCES accounts,
    ADD FOREIGN KEY (market_id) REFERENCES markets,
    ADD FOREIGN KEY (strategy_id) REFERENCES strategies;
ALTER TABLE trades
    ADD FOREIGN KEY (order_id) REFERENCES orders,
    ADD FOREIGN KEY (account_id) REFERENCES accounts,
    ADD FOREIGN KEY (market_id) REFERENCES markets;
ALTER TABLE portfolio_positions
    ADD FOREIGN KEY (account_id) REFERENCES accounts,
    ADD FOREIGN KEY (market_id) REFERENCES markets,
    ADD FOREIGN KEY (last_trade_id) REFERENCES trades;
ALTER TABLE balances
    ADD FOREIGN KEY (account_id) REFERENCES accounts,
    ADD FOREIGN KEY (token_id) REFERENCES tokens;
ALTER TABLE risk_limits
    ADD FOREIGN KEY (account_id) REFERENCES accounts;
