-- Who had not confirmed a withdrawal that the clock made effective: services, and tools that the gate could not reach.

ALTER TABLE withdrawal ADD COLUMN unconfirmed text[], ADD COLUMN tools uuid[];
SELECT tenant_table('withdrawal');
