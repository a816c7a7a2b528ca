-- What a state directory of version 0.1.0 held, beside its tables: four jobs, one of each kind that matters.
INSERT INTO endpoint VALUES (1, 'vessl', 'https://serve.example/api/v1/services/a'), (2, 'unstract', 'https://us.unstract.example');
INSERT INTO job VALUES (1, 1, '98nlux8b0eu6'), (2, 2, 'E748D90F-AF7D-4A98-813D-4C47344FF595'), (3, 2, 'lost-one'), (4, 1, 'declared');
INSERT INTO declaration VALUES (1, 'llama', 'hello', '["nightly"]'), (2, 'invoices', NULL, '[]'), (3, 'invoices', 'scan 3', '[]'), (4, 'llama', NULL, '[]');
INSERT INTO body VALUES
    (7, 1, 1, 0, 6, 'c0cf4b3ddf53c83fa13c08c2cfa5b8ebd8e4a2c5b1b9e6ef9a6e0db3a5e4a3a0', 200, 'application/json', NULL, NULL, NULL, 0, 1800000003000000000, NULL, x'726573756c74'),
    (8, 2, 1, 0, 9, '3eb13b9046685257bdd640fb06671ad11c80317fa3b1799d0b3f0d6d2e9f7c1e', 200, NULL, NULL, NULL, NULL, 0, 1800000004000000000, 'large.body', NULL);
INSERT INTO observation VALUES
    (1, 'succeeded', 'completed', NULL, 200, 200, NULL, NULL, NULL, NULL, NULL, NULL, 1800000001000000000, 1800000002000000000, 1800000003000000000, NULL, 1800000003000000000, 7, NULL, 3, NULL, 'ok', 200, NULL, 1800000003000000000),
    (2, 'partial', 'COMPLETED', NULL, 200, NULL, NULL, 'page 3', NULL, NULL, 3, 1, 1800000001000000000, NULL, 1800000004000000000, NULL, 1800000004000000000, 8, NULL, 2, NULL, 'ok', 200, NULL, 1800000004000000000),
    (3, 'lost', 'COMPLETED', 'no reply', 406, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1800000001000000000, NULL, 1800000004000000000, NULL, 1800000004000000000, NULL, NULL, 5, 'no reply', 'ok', 406, NULL, 1800000004000000000);
INSERT INTO attempt VALUES (1, 0, 1800000001000000000, 1800000003000000000, 3, 'ok', 200, 1234000, 6, NULL, 'completed', NULL);
INSERT INTO change VALUES (1, 1, 1800000003000000000, 'running', 'succeeded', 'completed'), (2, 3, 1800000004000000000, 'running', 'lost', 'COMPLETED');
INSERT INTO instance VALUES (1, '1-00000000000000aa', 1, 1800000000000000000);
INSERT INTO claim VALUES (4, 1);
PRAGMA user_version = 1;
