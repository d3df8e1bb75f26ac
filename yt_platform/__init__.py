"""YouTube data platform: raw pulls to validated metrics, features, forecasts and reader views in Postgres."""
