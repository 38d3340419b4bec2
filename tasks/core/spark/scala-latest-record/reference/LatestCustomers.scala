import org.apache.spark.sql.{Column, DataFrame, SaveMode, SparkSession}
import org.apache.spark.sql.expressions.Window
import org.apache.spark.sql.functions._

/** Works out the customers as they are now from all their changes. */
object LatestCustomers {
  private val Raw =
    "customer_id string, source string, operation string, changed_at string, sequence string, " +
      "name string, email string, segment string"

  /** All changes as text, typed where they can be; `reason` tells everything that is wrong with a row, if anything. */
  private def read(spark: SparkSession, folder: String): DataFrame = {
    // By position in Raw only if the header says so, too.
    val rows = spark.read.schema(Raw).option("header", true).option("enforceSchema", false).csv(folder)
    val moment = expr("try_to_timestamp(changed_at)")
    val number = expr("try_cast(sequence AS bigint)")
    val faults = Seq(
      when(col("customer_id").isNull, "no customer_id"),
      when(col("changed_at").isNotNull && moment.isNull, "changed_at is no time"),
      when(col("sequence").isNotNull && number.isNull, "sequence is no number")
    )
    rows
      .withColumn("reason", nullif(concat_ws("; ", faults: _*), lit("")))
      .withColumn("changed_at", moment)
      .withColumn("sequence", number)
  }

  /** The latest row of each customer. A total order: rows that agree in it are the same row. */
  private def latest(changes: DataFrame): DataFrame = {
    val order: Seq[Column] =
      Seq(col("changed_at").desc_nulls_last, col("sequence").desc_nulls_last, (col("source") === "crm").desc)
    changes
      .withColumn("place", row_number().over(Window.partitionBy("customer_id").orderBy(order: _*)))
      .where(col("place") === 1)
  }

  def main(arguments: Array[String]): Unit = {
    val lake = sys.env("LAKE")
    val spark = SparkSession.builder.appName("latest customers").getOrCreate()
    val changes = read(spark, s"${sys.env("DATA")}/changes").cache()

    latest(changes.where("reason IS NULL"))
      .where("operation <> 'delete'")
      .select("customer_id", "name", "email", "segment", "source", "changed_at")
      .write.mode(SaveMode.Overwrite).parquet(s"$lake/customers")
    changes
      .where("reason IS NOT NULL")
      .select("customer_id", "reason")
      .write.mode(SaveMode.Overwrite).parquet(s"$lake/customers_rejected")
    spark.stop()
  }
}
// canary: 58d2d429-7b16-4150-990d-7e9849ec9d0a
